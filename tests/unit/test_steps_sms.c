/* SMS gateways step by step: the request that each gets, and what nothing in a message can do to it.
 * Apart from test_steps_answers.c, where the answer is what matters. */
#include "unit.h"

#include "provider/backends.h"
#include "steps_world.h"

static void twilio_request(void **state)
{
	struct steps_world w;

	(void)state;
	steps_begin(&w, &wsmfa_sms_twilio, steps_twilio);
	steps_assert_request(&w, "POST", "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
	assert_string_equal(w.step.request.body,
			    "To=%2B358401234567&MessagingServiceSid=MG1&Body=Code%20123456&ValidityPeriod=300");
	assert_string_equal(w.step.request.userpwd, "AC1:t");
	assert_true(w.step.request.asks_person);
	assert_false(w.step.request.repeatable);
	steps_answer(&w, 201, "{\"sid\":\"SM1\",\"status\":\"queued\",\"error_code\":null}");
	steps_assert_ends(&w, WSMFA_DELIVERY_SENT);
	steps_end(&w);
}

static void sns_request(void **state)
{
	char const *const settings[] = { "region",    "eu-west-1", "access_key",    "AK", "secret_key", "s/+",
					 "sender_id", "ME",        "session_token", "t=", NULL };
	struct steps_world w;

	(void)state;
	steps_begin(&w, &wsmfa_sms_aws_sns, settings);
	steps_assert_request(&w, "POST", "https://sns.eu-west-1.amazonaws.com/");
	assert_string_equal(w.step.request.aws_sigv4, "aws:amz:eu-west-1:sns");
	assert_string_equal(w.step.request.userpwd, "AK:s/+");
	assert_non_null(strstr(w.step.request.headers, "X-Amz-Security-Token: t=\n"));
	assert_non_null(strstr(w.step.request.body,
			       "Action=Publish&Version=2010-03-31&PhoneNumber=%2B358401234567&Message=Code%20123456&"
			       "MessageAttributes.entry.1.Name=AWS.SNS.SMS.SMSType&"
			       "MessageAttributes.entry.1.Value.DataType=String&"
			       "MessageAttributes.entry.1.Value.StringValue=Transactional&"
			       "MessageAttributes.entry.2.Name=AWS.SNS.SMS.SenderID"));
	steps_answer(&w, 200,
		     "<PublishResponse><PublishResult><MessageId>id</MessageId></PublishResult></PublishResponse>");
	steps_assert_ends(&w, WSMFA_DELIVERY_SENT);
	steps_end(&w);
}

static void http_contexts(void **state)
{
	char const *const form[] = {
		"url",    "https://g.test/{account}?t={text}",
		"header", "X-To: {to}",
		"header", "X-Text: {text}",
		"body",   "to={to_digits}&text={text}&id={id}&ttl={lifetime_ms}&c={coding}&y={type}",
		NULL
	};
	char const *const xml[] = { "url",  "https://g.test/",         "body_type", "xml",
				    "body", "<m to='{to}'>{text}</m>", "method",    "PUT",
				    NULL };
	struct steps_world w;

	(void)state;
	steps_begin(&w, &wsmfa_sms_http, form);
	steps_assert_request(&w, "POST", "https://g.test/jane%20doe?t=Code%20123456");
	assert_string_equal(w.step.request.headers, "X-To: +358401234567\nX-Text: Code 123456\n"
						    "Content-Type: application/x-www-form-urlencoded\n");
	assert_string_equal(w.step.request.body, "to=358401234567&text=Code%20123456&id=0&ttl=300000&c=0&y=text");
	steps_end(&w);
	steps_begin(&w, &wsmfa_sms_http, xml);
	steps_assert_request(&w, "PUT", "https://g.test/");
	assert_string_equal(w.step.request.body, "<m to='+358401234567'>Code 123456</m>");
	steps_end(&w);
}

/** Nothing in a message can leave its place in a request. */
static void http_injection(void **state)
{
	char const *const settings[] = {
		"url",  "https://g.test/?t={text}",    "header", "X-Text: {text}", "body_type", "json",
		"body", "{\"t\":\"{text}\",\"n\":{}}", NULL
	};
	static uint8_t const random[16] = { 0 };
	struct steps_world w;

	(void)state;
	steps_begin(&w, &wsmfa_sms_http, settings);
	strcpy(w.c.message.text, "a\r\nX-Evil: 1\"},{to}&\x7f%");
	memset(&w.step, 0, sizeof(w.step));
	w.p->ops->begin(w.p, &w.c, STEPS_NOW, random, &w.step);
	assert_string_equal(w.step.request.url, "https://g.test/?t=a%0D%0AX-Evil%3A%201%22%7D%2C%7Bto%7D%26%7F%25");
	assert_string_equal(w.step.request.headers, "X-Text: aX-Evil: 1\"},{to}&%\nContent-Type: application/json\n");
	assert_string_equal(w.step.request.body, "{\"t\":\"a\\u000d\\u000aX-Evil: 1\\\"},{to}&\\u007f%\",\"n\":{}}");
	/* A number that is none is nobody's. */
	strcpy(w.c.message.phone, "+35840 1234567");
	memset(&w.step, 0, sizeof(w.step));
	w.p->ops->begin(w.p, &w.c, STEPS_NOW, random, &w.step);
	steps_assert_ends(&w, WSMFA_DELIVERY_REFUSED);
	steps_end(&w);
}

int main(void)
{
	struct CMUnitTest const tests[] = {
		cmocka_unit_test(twilio_request),
		cmocka_unit_test(sns_request),
		cmocka_unit_test(http_contexts),
		cmocka_unit_test(http_injection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
