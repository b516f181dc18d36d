// Package logins reads the logins of registries that docker keeps: those of config.json and of its helpers.
package logins

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/response"
)

const (
	ConfigFile    = "config.json"
	HubKey        = "https://index.docker.io/v1/" // Docker Hub's name in config.json and for helpers
	helperPrefix  = "docker-credential-"
	helperTimeout = 15 * time.Second
	HubAPI        = "registry-1.docker.io" // where the registry of Docker Hub answers
	tokenUser     = "<token>"              // a helper's user name for an identity token
)

// Login is a registry's login; the zero value is nobody's.
type Login struct {
	User     string
	Password string
	Token    string // an OAuth2 refresh token
}

func (c Login) Known() bool { return c != Login{} }

// dockerConfig is the part of docker's config.json that holds logins
// (docker/cli cli/config/configfile).
type dockerConfig struct {
	Auths       map[string]dockerAuth `json:"auths"`
	CredsStore  string                `json:"credsStore"`
	CredHelpers map[string]string     `json:"credHelpers"`
}

type dockerAuth struct {
	Auth          string `json:"auth"` // base64 of user:password
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
}

// Logins are those of docker's config.json.
type Logins struct {
	File string
	Log  *slog.Logger
}

// Of finds a registry's login as docker does: its own helper in credHelpers, else the helper in
// credsStore, else auths. regclient can do that too, but would run helpers without a time limit and keep
// what it read for as long as the server runs. What cannot be read means nobody's login, which many images need no
// more than; problem says why, for those that do. The error is the context's.
func (l Logins) Of(ctx context.Context, host string) (login Login, problem *image.Error, err error) {
	conf, problem := readDockerConfig(l.File)
	if problem != nil {
		l.Log.Warn("cannot read docker's credentials", "error", problem, "cause", problem.Err)
	}
	keys := authKeys(host)
	helper := conf.CredsStore
	for _, key := range keys {
		if h, own := conf.CredHelpers[key]; own {
			helper = h // an empty one means auths, as with docker
			break
		}
	}
	if helper != "" {
		login, err := askHelper(ctx, helper, keys[0])
		if ctx.Err() != nil {
			return Login{}, nil, ctx.Err()
		}
		if err != nil {
			l.Log.Warn("docker's credential helper failed", "helper", helper, "registry", host, "error", err, "cause", err.Err)
			problem = err
		}
		if login.Known() {
			return login, nil, nil
		}
	}
	login, damaged := conf.find(host)
	if damaged && problem == nil {
		problem = image.Errorf(image.Unauthorized, "the entry of %s in docker's config.json is damaged", host).
			Suggest("Sign in again with docker login as the user that this server runs as.")
	}
	return login, problem, nil
}

// readDockerConfig reads the logins of a config.json. What is of the wrong kind in it is left out.
func readDockerConfig(path string) (conf dockerConfig, problem *image.Error) {
	raw, err := os.ReadFile(path)
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return conf, nil
	case err != nil:
		return conf, image.Errorf(image.Unauthorized, "docker's config.json cannot be opened").Because(err).
			Suggest("Let the user that this server runs as read %s.", path)
	case len(bytes.TrimSpace(raw)) == 0:
		return conf, nil
	}
	switch err := json.Unmarshal(raw, &conf); {
	case err == nil:
		return conf, nil
	case errors.As(err, &kind):
		return conf, brokenConfig(path, err) // with what could be read
	default:
		return dockerConfig{}, brokenConfig(path, err)
	}
}

func brokenConfig(path string, err error) *image.Error {
	return image.Errorf(image.Unauthorized, "docker's config.json is not what docker writes").Because(err).
		Suggest("Mend %s, or move it away and sign in again with docker login.", path)
}

// authKeys returns a registry's names in config.json, docker's own first.
func authKeys(host string) []string {
	if host == image.DockerHub {
		return []string{HubKey, "index.docker.io", image.DockerHub, HubAPI}
	}
	return []string{host}
}

// find looks a registry up in auths, first by its exact names and then without scheme and path, as docker
// does (docker/cli cli/config/credentials, GetAuthConfig). damaged tells that there is an entry which cannot be read.
func (conf dockerConfig) find(host string) (login Login, damaged bool) {
	keys := authKeys(host)
	for _, key := range keys {
		login, bad := conf.Auths[key].credential()
		if login.Known() {
			return login, false
		}
		damaged = damaged || bad
	}
	for key, auth := range conf.Auths {
		for _, want := range keys {
			if bareHost(key) != bareHost(want) {
				continue
			}
			login, bad := auth.credential()
			if login.Known() {
				return login, false
			}
			damaged = damaged || bad
		}
	}
	return Login{}, damaged
}

func bareHost(key string) string {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, _, _ := strings.Cut(key, "/")
	return host
}

// Login reads an entry. damaged tells that its auth is not a name and a password as docker writes them.
func (a dockerAuth) credential() (login Login, damaged bool) {
	login = Login{User: a.Username, Password: a.Password, Token: a.IdentityToken}
	if a.Auth == "" {
		return login, false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(a.Auth))
	user, password, found := strings.Cut(string(raw), ":")
	if err != nil || !found {
		return login, true
	}
	login.User, login.Password = user, strings.Trim(password, "\x00")
	return login, false
}

var helperName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// askHelper runs "docker-credential-NAME get" (docker/docker-credential-helpers). A helper that knows no
// login returns the zero credential.
func askHelper(ctx context.Context, name, server string) (Login, *image.Error) {
	if !helperName.MatchString(name) {
		return Login{}, image.Errorf(image.Unauthorized, "%q is not a credential helper's name", response.Clean(name)).
			Suggest("Mend credsStore and credHelpers in docker's config.json.")
	}
	program := helperPrefix + name
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	//nolint:gosec // the operator's own config.json names the helper
	cmd := exec.CommandContext(ctx, program, "get")
	cmd.Stdin = strings.NewReader(server)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return Login{}, image.Errorf(image.Unauthorized, "the credential helper %s did not answer within %s", program,
			helperTimeout).Because(err).
			Suggest("Run it as the user that this server runs as, and see what it waits for.")
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return Login{}, image.Errorf(image.Unauthorized, "there is no credential helper %s", program).Because(err).
			Suggest("Install it where this server finds programs, or take it out of docker's config.json.")
	case strings.Contains(strings.ToLower(string(out)), "not found"):
		return Login{}, nil // errCredentialsNotFoundMessage of the helpers' protocol
	default:
		return Login{}, image.Errorf(image.Unauthorized, "the credential helper %s failed: %s", program,
			failureOf(out, err)).Because(err).
			Suggest("Run it as the user that this server runs as, and see what it says.")
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(out, &answer); err != nil {
		return Login{}, image.Errorf(image.Unauthorized, "the credential helper %s does not answer as one does",
			program).Because(err).
			Suggest("Run it as the user that this server runs as, and see what it says.")
	}
	if answer.Username == tokenUser {
		return Login{Token: answer.Secret}, nil
	}
	return Login{User: answer.Username, Password: answer.Secret}, nil
}

// failureOf returns what a helper that failed says, which by its protocol is no secret: on its output, or else its
// status.
func failureOf(out []byte, err error) string {
	if said := response.Clean(string(out)); said != "" && !strings.Contains(said, "{") {
		return said
	}
	return response.Clean(err.Error())
}
