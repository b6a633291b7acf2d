# Cases in shell, as TAP on standard output. Sourced; apart from the scripts that use it, in two layers.
n=0
ok() { # STATUS TEXT [DETAIL]
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; sed 's/^/# /' <<<"${3-}"; fi
	return "$1"
}
check() { # TEXT CONDITION...
	local text=$1 said
	shift
	said=$("$@" 2>&1) ; ok $? "$text" "$*
$said"
}
# A command that must fail, and say something in so many words.
refuses() { # TEXT WORDS COMMAND...
	local text=$1 words=$2 said status=0
	shift 2
	said=$("$@" 2>&1) || status=$?
	if [ $status -ne 0 ] && grep -qF -e "$words" <<<"$said"; then ok 0 "$text"; else ok 1 "$text" "status $status, wanted: $words
$said"; fi
}
plan() { echo "1..$n"; }
