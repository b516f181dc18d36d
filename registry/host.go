package registry

import (
	"net/http"
	"slices"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/registry/logins"
	"github.com/stowage/stowage/registry/outbound"
)

// Host is how the references of a host are fetched: where, how far TLS is trusted, and as whom.
type Host struct {
	Name   string // as in references
	API    string // host[:port] that answers
	Scheme string // http or https; empty where that is not found out

	peer     outbound.Peer // what the list says of it; the zero value where it says nothing
	signIn   string        // its key in docker's config.json
	withheld bool          // nobody signs in there

	login        logins.Login
	loginProblem *image.Error // why docker's credentials, or some of them, could not be read; nil where they could
}

// host returns how a host is spoken to: by the entry that is a mirror of it, else by its own entry, else as docker
// does. What only asking tells is not in it.
func (l entries) host(name string) Host {
	h := Host{Name: name, API: apiOf(name), signIn: name}
	entry, found := l.mirrorOf(name)
	if !found {
		if entry, found = l.entry(name); !found {
			return h
		}
	}
	h.API, h.signIn, h.peer = apiOf(entry.Host), entry.Host, entry.peer()
	if entry.Address != "" {
		h.API = entry.Address
	}
	if entry.Credentials != "" {
		h.signIn = entry.Credentials
	}
	return h
}

// LoginCommand returns the command that signs in where h leads.
func (h Host) LoginCommand() string {
	if h.signIn == image.DockerHub {
		return "docker login"
	}
	return "docker login " + h.signIn
}

// SigningIn returns an error that suggests to sign in as it is where sign-ins are used, and else with the flag that has
// them used.
func (h Host) SigningIn(e *image.Error) *image.Error {
	if h.withheld {
		return e.Suggest("This server does not use its sign-ins for whoever asks on the network. Whoever runs it can allow that: --share-logins")
	}
	return e
}

// SignedIn reports whether there is a login.
func (h Host) SignedIn() bool { return h.login.Known() }

// SignIn adds the login to a request for the registry itself, and to no other. An identity token is for token servers.
func (h Host) SignIn(req *http.Request) {
	if h.Scheme != "" && h.login.Password != "" && req.URL.Host == h.API && req.URL.Scheme == h.Scheme {
		req.SetBasicAuth(h.login.User, h.login.Password)
	}
}

// Secrets returns what must not appear in a message.
func (h Host) Secrets() []string {
	return slices.DeleteFunc([]string{h.login.Password, h.login.Token}, func(s string) bool { return s == "" })
}

// hub reports whether h is Docker Hub itself: a mirror of it has no accounts of Docker Hub's.
func (h Host) hub() bool { return h.Name == image.DockerHub && h.signIn == image.DockerHub }
