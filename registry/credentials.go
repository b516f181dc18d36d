package registry

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/stowage/stowage/image"
)

const (
	configFile    = "config.json"
	hubAuthKey    = "https://index.docker.io/v1/" // Docker Hub's name in config.json and for helpers
	helperPrefix  = "docker-credential-"
	helperTimeout = 15 * time.Second
	tokenUser     = "<token>" // a helper's user name for an identity token
)

// credential is a registry's login; the zero value is nobody's.
type credential struct {
	user     string
	password string
	token    string // an OAuth2 refresh token
}

func (c credential) known() bool { return c != credential{} }

// secrets gives what must not appear in a message.
func (c credential) secrets() []string {
	var s []string
	for _, secret := range []string{c.password, c.token} {
		if secret != "" {
			s = append(s, secret)
		}
	}
	return s
}

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

// credentialOf finds a registry's login as docker does: its own helper in credHelpers, else the helper in
// credsStore, else auths. regclient can do that too, but would run helpers without a time limit and keep
// what it read for as long as the server runs. A helper that fails means nobody's login, with a warning.
func (c *Client) credentialOf(ctx context.Context, host string) (credential, error) {
	conf, err := readDockerConfig(filepath.Join(c.opts.DockerConfig, configFile))
	if err != nil {
		c.opts.Logger.Warn("cannot read docker's credentials", "error", err)
		return credential{}, nil
	}
	helper := conf.CredsStore
	for _, key := range authKeys(host) {
		if h := conf.CredHelpers[key]; h != "" {
			helper = h
			break
		}
	}
	if helper != "" {
		login, err := askHelper(ctx, helper, authKeys(host)[0])
		if ctx.Err() != nil {
			return credential{}, ctx.Err()
		}
		if err != nil {
			c.opts.Logger.Warn("docker's credential helper failed", "helper", helper, "registry", host, "error", err)
		}
		if login.known() {
			return login, nil
		}
	}
	return conf.find(host), nil
}

func readDockerConfig(path string) (dockerConfig, error) {
	var conf dockerConfig
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return conf, nil
	}
	if err != nil {
		return conf, err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return conf, nil
	}
	if err := json.Unmarshal(raw, &conf); err != nil {
		return dockerConfig{}, fmt.Errorf("parse %s: %w", path, err)
	}
	return conf, nil
}

// authKeys gives a registry's names in config.json, docker's own first.
func authKeys(host string) []string {
	if host == dockerHub {
		return []string{hubAuthKey, "index.docker.io", dockerHub, dockerHubAPI}
	}
	return []string{host}
}

// find looks a registry up in auths, first by its exact names and then without scheme and path, as docker
// does (docker/cli cli/config/credentials, GetAuthConfig).
func (conf dockerConfig) find(host string) credential {
	keys := authKeys(host)
	for _, key := range keys {
		if login := conf.Auths[key].credential(); login.known() {
			return login
		}
	}
	for key, auth := range conf.Auths {
		for _, want := range keys {
			if login := auth.credential(); bareHost(key) == bareHost(want) && login.known() {
				return login
			}
		}
	}
	return credential{}
}

func bareHost(key string) string {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, _, _ := strings.Cut(key, "/")
	return host
}

func (a dockerAuth) credential() credential {
	login := credential{user: a.Username, password: a.Password, token: a.IdentityToken}
	if a.Auth == "" {
		return login
	}
	raw, err := base64.StdEncoding.DecodeString(a.Auth)
	if err != nil {
		return login
	}
	if user, password, found := strings.Cut(string(raw), ":"); found {
		login.user, login.password = user, strings.Trim(password, "\x00")
	}
	return login
}

var helperName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// askHelper runs "docker-credential-NAME get" (docker/docker-credential-helpers). A helper that knows no
// login gives the zero credential.
func askHelper(ctx context.Context, name, server string) (credential, error) {
	if !helperName.MatchString(name) {
		return credential{}, image.Errorf(image.Invalid, "%q is not a credential helper's name", clean(name))
	}
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	//nolint:gosec // the operator's own config.json names the helper
	cmd := exec.CommandContext(ctx, helperPrefix+name, "get")
	cmd.Stdin = strings.NewReader(server)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		if said := strings.ToLower(string(out)); strings.Contains(said, "not found") {
			return credential{}, nil // errCredentialsNotFoundMessage of the helpers' protocol
		}
		return credential{}, fmt.Errorf("run %s%s: %w", helperPrefix, name, err)
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(out, &answer); err != nil {
		return credential{}, fmt.Errorf("read the answer of %s%s: %w", helperPrefix, name, err)
	}
	if answer.Username == tokenUser {
		return credential{token: answer.Secret}, nil
	}
	return credential{user: answer.Username, password: answer.Secret}, nil
}
