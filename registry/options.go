package registry

import (
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/stowage/stowage/registry/outbound"
)

// Options configures a Client. The zero value is a client for public registries.
type Options struct {
	// InsecureHosts are registries that are asked over TLS without verification and, where they do not speak
	// TLS, in plain HTTP. An entry is host:port, or a host that then stands for each of its ports. It says
	// nothing of where a registry may be: for a private address it must be listed too.
	InsecureHosts []string
	// CAFiles are PEM files of authorities that are trusted beside the system's.
	CAFiles []string
	// DockerConfig is the folder of docker's config.json. Empty means $DOCKER_CONFIG or else ~/.docker.
	DockerConfig string
	// Registries is the operator's short list; see Entry. Docker Hub is on it always.
	Registries []Entry
	// AllowPrivate lets loopback and private addresses be spoken to whoever names them: for a server that
	// itself listens on loopback only. Otherwise they must be listed.
	AllowPrivate bool
	// WithholdLogins leaves the sign-ins of docker's config.json alone: for a server that does what anybody on a network
	// asks of it. Registries are asked as nobody then.
	WithholdLogins bool
	// UserAgent is sent with each request.
	UserAgent string
	// Logger gets what regclient logs, at debug level or below, and failing credential helpers as warnings.
	Logger *slog.Logger
	// Concurrency is how many blobs the caller reads at a time from one registry. Some requests more are let
	// through, so that a manifest never waits for a blob to end. 0 means 16.
	Concurrency int

	ConnectTimeout  time.Duration // for connecting and for the TLS handshake, each; 0 means 10 s
	HeaderTimeout   time.Duration // from a request to the head of its answer; 0 means 30 s
	StallTimeout    time.Duration // for a blob to deliver its next byte; 0 means 30 s
	DocumentTimeout time.Duration // for one Head, Document or Tags as a whole, and for a blob to begin; 0 means 60 s

	Dial  func(outbound.DialFunc) outbound.DialFunc // see outbound.Options
	Proxy outbound.ProxyFunc                        // see outbound.Options
}

// outbound returns the options of the way out.
func (o Options) outbound(list []Entry) outbound.Options {
	out := outbound.Options{
		InsecureHosts: o.InsecureHosts, CAFiles: o.CAFiles, AllowPrivate: o.AllowPrivate, Connections: o.Concurrency +
			spareRequests,
		Connect: o.ConnectTimeout, Header: o.HeaderTimeout, UserAgent: o.UserAgent, Logger: o.Logger, Dial: o.Dial,
		Proxy: o.Proxy,
	}
	for _, entry := range list {
		out.Peers = append(out.Peers, entry.peer())
	}
	return out
}

// spareRequests is how many requests to a registry are let through beside those for blobs.
const spareRequests = 16

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.ConnectTimeout, 10*time.Second)
	def(&o.HeaderTimeout, 30*time.Second)
	def(&o.StallTimeout, 30*time.Second)
	def(&o.DocumentTimeout, time.Minute)
	if o.Concurrency <= 0 {
		o.Concurrency = 16
	}
	if o.UserAgent == "" {
		o.UserAgent = "stowage"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.DockerConfig == "" {
		o.DockerConfig = os.Getenv("DOCKER_CONFIG")
	}
	if home, err := os.UserHomeDir(); o.DockerConfig == "" && err == nil {
		o.DockerConfig = filepath.Join(home, ".docker")
	}
	return o
}

// maxHosts bounds the registries that are remembered: people can type any number of names.
const maxHosts = 256
