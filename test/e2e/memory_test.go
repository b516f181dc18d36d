package e2e

import (
	"strings"
	"testing"

	"github.com/stowage/stowage/test/shelf"
)

func TestTheMemoryLimitIsSaidByTheFlagTheEnvironmentOrTheMachine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env, args []string
		want      string
	}{
		{nil, []string{"--memory-limit=300MiB"}, `"bytes":314572800`},
		{[]string{"GOMEMLIMIT=200MiB"}, nil, `"bytes":209715200`},
		{[]string{"GOMEMLIMIT=200MiB"}, []string{"--memory-limit=300MiB"}, `"bytes":314572800`},
		{nil, []string{"--memory-limit=0"}, `"bytes":9223372036854775807`},
	} {
		s := shelf.StartOn(t, t.TempDir(), c.env, append(c.args, "--log-level=debug")...)
		if logs := s.Logs(); !strings.Contains(logs, "soft memory limit") || !strings.Contains(logs, c.want) {
			t.Errorf("%v %v: no %s in\n%s", c.env, c.args, c.want, logs)
		}
	}
	s := shelf.Start(t, "--log-level=debug")
	if logs := s.Logs(); !strings.Contains(logs, "soft memory limit") ||
		strings.Contains(logs, `"bytes":9223372036854775807`) {
		t.Errorf("nobody said anything, and there is no limit:\n%s", logs)
	}
}
