/* The parser of times.
 * Apart from the subcommands because it is pure and tested alone. */
#include "when.h"

#include <stdio.h>
#include <string.h>

struct civil {
	int year, month, day, hour, minute, second, micro;
};

/* Exactly n digits, as a number; moves *p behind them. */
static bool digits(char const **p, int n, int *out)
{
	int value = 0;

	for (int i = 0; i < n; i++) {
		if ((*p)[i] < '0' || (*p)[i] > '9')
			return false;
		value = value * 10 + ((*p)[i] - '0');
	}
	*p += n;
	*out = value;
	return true;
}

static bool literal(char const **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static int month_days(int year, int month)
{
	static int const days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; the year begins in March so that a leap day is last. */
static int64_t days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = y / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static char const *date_parse(char const **p, struct civil *c)
{
	if (!digits(p, 4, &c->year) || !literal(p, '-') || !digits(p, 2, &c->month) || !literal(p, '-') ||
	    !digits(p, 2, &c->day))
		return "is not a time; write it like 2024-04-22T00:00:00+02:00";
	if (c->year < 1970 || c->month < 1 || c->month > 12 || c->day < 1 || c->day > month_days(c->year, c->month))
		return "names a day that does not exist, or one before 1970";
	return NULL;
}

static char const *clock_parse(char const **p, struct civil *c)
{
	if (!digits(p, 2, &c->hour) || !literal(p, ':') || !digits(p, 2, &c->minute))
		return "has no time of day; write it like 2024-04-22T00:00:00+02:00";
	if (literal(p, ':')) {
		if (!digits(p, 2, &c->second))
			return "has seconds without two digits";
		if (literal(p, '.')) {
			int scale = 100000, one;

			if (!digits(p, 1, &one))
				return "has a decimal point without digits after it";
			do {
				if (!scale)
					return "is finer than a microsecond";
				c->micro += one * scale;
				scale /= 10;
			} while (digits(p, 1, &one));
		}
	}
	if (c->hour > 23 || c->minute > 59 || c->second > 59)
		return "names a time of day that does not exist";
	return NULL;
}

/* Minutes east of Greenwich. */
static char const *zone_parse(char const **p, int *out)
{
	int sign, hours, minutes = 0;

	*out = 0;
	if (literal(p, 'Z') || literal(p, 'z'))
		return NULL;
	if (!**p)
		return "has no zone; add one, like Z or +02:00";
	if (literal(p, '+'))
		sign = 1;
	else if (literal(p, '-'))
		sign = -1;
	else
		return "has no zone that I can read; add one, like Z or +02:00";
	if (!digits(p, 2, &hours))
		return "has a zone without two digits of hours; write it like +02:00";
	if (literal(p, ':') ? !digits(p, 2, &minutes) : **p && !digits(p, 2, &minutes))
		return "has a zone without two digits of minutes; write it like +02:00";
	if (hours > 15 || minutes > 59)
		return "has a zone that does not exist";
	*out = sign * (hours * 60 + minutes);
	return NULL;
}

char const *ctl_when_parse(char const *text, wsmfa_time_t *out)
{
	struct civil c = { 0 };
	char const *p = text;
	char const *why;
	int zone;

	why = date_parse(&p, &c);
	if (why)
		return why;
	if (!*p)
		return "is a date alone; add time and zone, like 2024-04-22T00:00:00+02:00";
	if (!literal(&p, 'T') && !literal(&p, 't') && !literal(&p, ' '))
		return "is not a time; write it like 2024-04-22T00:00:00+02:00";
	why = clock_parse(&p, &c);
	if (why)
		return why;
	while (literal(&p, ' '))
		;
	why = zone_parse(&p, &zone);
	if (why)
		return why;
	if (*p)
		return "goes on after its zone; write it like 2024-04-22T00:00:00+02:00";
	*out = (days_from_civil(c.year, c.month, c.day) * 86400 + c.hour * INT64_C(3600) + c.minute * INT64_C(60) + c.second -
		(int64_t)zone * 60) *
		       WSMFA_SECOND +
	       c.micro;
	return NULL;
}

char const *ctl_when_parse_local(char const *text, char *out)
{
	struct civil c = { 0 };
	char const *p = text;
	char const *why = date_parse(&p, &c);

	if (why)
		return why;
	if (*p) {
		if (!literal(&p, 'T') && !literal(&p, 't') && !literal(&p, ' '))
			return "is not a local time; write it like 2024-04-22 or 2024-04-22T08:30";
		why = clock_parse(&p, &c);
		if (why)
			return why;
		if (*p)
			return "has a zone, but is to be read as a local time: leave out the zone, or --local";
	}
	snprintf(out, CTL_WHEN_MAX, "%04d-%02d-%02d %02d:%02d:%02d.%06d", c.year, c.month, c.day, c.hour, c.minute,
		 c.second, c.micro);
	return NULL;
}

void ctl_when_format(wsmfa_time_t t, char *out)
{
	int64_t seconds = t / WSMFA_SECOND;
	int64_t micro = t % WSMFA_SECOND;
	int64_t days, rest, z, era, of_era, y, of_year, m;

	if (micro < 0) {
		micro += WSMFA_SECOND;
		seconds--;
	}
	days = seconds / 86400;
	rest = seconds % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	/* The inverse of days_from_civil. */
	z = days + 719468;
	era = z / 146097;
	of_era = z - era * 146097;
	y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * y + y / 4 - y / 100);
	m = (5 * of_year + 2) / 153;
	y += era * 400 + (m >= 10);
	snprintf(out, CTL_WHEN_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00", (int)y, (int)(m < 10 ? m + 3 : m - 9),
		 (int)(of_year - (153 * m + 2) / 5 + 1), (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60),
		 (int)micro);
}
