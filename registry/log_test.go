package registry

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/regclient/regclient/types"
)

func TestRegclientLogsAtDebugAtMostAndWithoutSecrets(t *testing.T) {
	_, host := basicRegistry(t)
	conf := dockerConfigDir(t, auths(host, login("anna", "s3cret")))
	logged := func(level slog.Level) string {
		var b bytes.Buffer
		log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: level}))
		c := client(t, Options{DockerConfig: conf, Logger: log})
		_, _ = c.Document(t.Context(), mustRef(t, host+"/app:1"))
		debugLogger(log).With("a", 1).WithGroup("g").Error("from regclient")
		return b.String()
	}
	if got := logged(slog.LevelInfo); got != "" {
		t.Errorf("at level info: %s", got)
	}
	all := logged(types.LevelTrace)
	if !strings.Contains(all, `level=DEBUG msg="from regclient" a=1`) || !strings.Contains(all, "/v2/app/manifests/1") {
		t.Errorf("at level trace: %s", all)
	}
	if strings.Contains(all, "s3cret") || strings.Contains(all, "YW5uYTpz") {
		t.Errorf("secrets in the log: %s", all)
	}
}
