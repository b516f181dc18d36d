package response

import (
	"net/http"
	"testing"
)

func TestChallengesAreUnderstoodAsTheyAreWritten(t *testing.T) {
	const want = `Bearer realm="https://a.test/token",service="s",scope="repository:app:pull,push"`
	for _, values := range [][]string{
		{want},
		{`bearer realm="https://a.test/token", service="s" , scope="repository:app:pull,push"`},
		{`BEARER Realm=https://a.test/token,Service=s,Scope=repository:app:pull,push`},
		{`Bearer realm='https://a.test/token'; service='s'; scope="repository:app:pull,push"`},
		{`Bearer realm="https://a.test/token" service="s" scope="repository:app:pull,push"`},
		{`Bearer   realm = "https://a.test/token" ,service = s,scope=repository:app:pull,push,error="insufficient_scope"`},
		{`Bearer realm="https:\/\/a.test\/token",service="s",scope="repository:app:pull,push"`},
		{"Negotiate", want},
		{`Negotiate YWJj==, ` + want},
		{`Basic realm="x"`, want},
		{want + `, Basic realm="x, y"`},
		{`Basic realm="x", ` + want},
		{`NTLM, Basic realm=x, ` + want},
		{`Bearer realm="ldap://no",service="other"`, want},
		{`Bearer error="invalid_token"`, want},
	} {
		c, why := answerable(challengesOf(http.Header{"Www-Authenticate": values}))
		if got := c.header(); got != want || !why.Empty() {
			t.Errorf("%q: %q (%s)", values, got, why)
		}
	}
	for value, header := range map[string]string{
		`Basic`:                        `Basic realm="registry"`,
		`basic realm="a \"b\""`:        `Basic realm="a \"b\""`,
		`Bearer realm="/token"`:        `Bearer realm="/token"`,
		`Bearer realm="https://a.test`: `Bearer realm="https://a.test"`,
		`Bearer realm="https://a.test/t?x=1",service="a b&c"`: `Bearer realm="https://a.test/t?x=1",service="a b&c"`,
	} {
		if c, why := answerable(parseChallenges(value)); c.header() != header || !why.Empty() {
			t.Errorf("%s: %s (%s)", value, c.header(), why)
		}
	}
}
