package ui

import (
	"strings"
	"testing"
)

func TestCommandsAreWordedAsInstructions(t *testing.T) {
	for recorded, want := range map[string]string{
		`/bin/sh -c #(nop)  CMD ["bash"]`: `CMD ["bash"]`,
		"/bin/sh -c #(nop) ADD file:2b3b5254f38a790d40e31cb26155609f7fc99ef7bc99eae1e0d67fa9ae605f77 in / ": "ADD file:2b3b5254f38a… in /",
		"/bin/sh -c apt-get update":                         "RUN apt-get update",
		"|2 A=1 B=two words /bin/sh -c make":                "RUN make",
		"RUN /bin/sh -c set -eux; \techo hi # buildkit":     "RUN set -eux; \techo hi",
		"COPY a b # buildkit":                               "COPY a b",
		`cmd /S /C #(nop) COPY dir:9f86d081884c7d65 in c:\`: `COPY dir:9f86d081884c7d65 in c:\`,
		"ENV A=/bin/sh -c x":                                "ENV A=/bin/sh -c x",
		"":                                                  "",
	} {
		if got := CleanCommand(recorded); got != want {
			t.Errorf("%q is worded %q, want %q", recorded, got, want)
		}
	}
}

func TestLongCommandsAreSpreadByWhiteSpaceAlone(t *testing.T) {
	for _, s := range []string{
		"RUN set -eux; \tgroupadd -r postgres --gid=999; \tuseradd -r -g postgres --uid=999 --home-dir=/var/lib/postgresql",
		"RUN apt-get update && apt-get install -y --no-install-recommends curl ca-certificates && rm -rf /var/lib/apt/lists/*",
	} {
		got := SpreadCommand(s)
		if strings.Count(got, "\n") != 2 || strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(s), " ") {
			t.Errorf("%q", got)
		}
	}
	if got := SpreadCommand("RUN a && b"); got != "RUN a && b" {
		t.Errorf("a short command became %q", got)
	}
}

func TestWordsAreQuotedAsAShellTakesThem(t *testing.T) {
	if got, want := ShellWords([]string{"sh", "-c", "it's $HOME", "", "a=b/c:d"}), `sh -c 'it'\''s $HOME' '' a=b/c:d`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
