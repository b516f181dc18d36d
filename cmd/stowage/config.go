package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/docker/go-units"

	"github.com/stowage/stowage/handlers/page"
	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/pull/updates"
	"github.com/stowage/stowage/registry"
)

// command is what the command line asks for.
type command string

const (
	commandServe   command = "serve"
	commandDemo    command = "demo"
	commandVersion command = "version"
	commandHelp    command = "help"
	commandNone    command = "" // the command line was answered already
)

// flags are the options of the servers. Each can be given by the environment as STOWAGE_ and its name in
// capitals; the command line wins.
type flags struct {
	Listen           string        `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to listen on. Beyond loopback it needs --auth."`
	ExternalURL      string        `name:"external-url" placeholder:"URL" help:"Address at which people and engines reach the server, such as https://shelf.example.com, for the commands that pages show. Default: what the browser asks for."`
	Host             []string      `placeholder:"NAME" help:"Name under which the server is reached, such as shelf.example.com, beside that of --external-url, localhost and, beyond loopback, IP addresses. Requests for other names are refused. Repeatable."`
	Data             string        `default:"./stowage-data" placeholder:"DIR" help:"Data folder: an OCI image layout with the database beside it. The demo uses a temporary one."`
	Platform         string        `placeholder:"OS/ARCH" help:"Platform that is pulled when nobody chooses. Default: linux on this server's architecture."`
	Registry         []string      `placeholder:"NAME[=URL]" help:"Registry to search beside Docker Hub, which may be at a private address; with a URL, that is spoken to instead, by http without TLS. Repeatable."`
	Registries       string        `placeholder:"FILE" help:"YAML file of such registries, with their search, TLS, authority, credentials and mirrors. See docs/configuration.md."`
	InsecureRegistry []string      `placeholder:"HOST" help:"Registry that is spoken to without verified TLS, or in plain HTTP. Repeatable."`
	RegistryCA       []string      `name:"registry-ca" placeholder:"FILE" help:"PEM file of an authority to trust for registries. Repeatable."`
	UndoWindow       time.Duration `default:"10m" placeholder:"DURATION" help:"How long a deletion can be undone; its files stay on the disk that long. 0: not at all."`
	CheckInterval    time.Duration `default:"0" placeholder:"DURATION" help:"How often to ask the registries whether stored tags have moved, such as 6h; 0 only asks when somebody does."`
	Mirror           []string      `placeholder:"REGISTRY" help:"Registry that is fetched from when a client of /v2/ asks for what is not stored, such as docker.io. Repeatable."`
	MirrorFresh      time.Duration `default:"5m" placeholder:"DURATION" help:"How long the answer of a mirrored registry about a tag holds; 0: for one request."`
	PullConcurrency  int           `default:"6" placeholder:"N" help:"Layers that are downloaded at once, over all pulls, as long as nobody goes short."`
	MaxUpload        string        `default:"0" placeholder:"SIZE" help:"Largest archive that is taken in, as it is sent and unpacked, such as 20GB; 0 takes what the disk has room for."`
	DiskReserve      string        `placeholder:"SIZE" help:"What stays free on the data folder's volume, for the database, such as 2GB; pulls and uploads that do not fit beside it are refused. Default: a twentieth of the volume, between 32 MiB and 1 GiB."`
	MemoryLimit      string        `placeholder:"SIZE" help:"Memory that the server tries to keep below, such as 512MiB; 0: no limit. Default: GOMEMLIMIT, else 80 % of what the container or the machine has."`
	Auth             string        `placeholder:"accounts|none" help:"accounts: people sign in, and do what their role allows; the first start prints a code for the first administrator. none: let everybody who reaches the address pull, upload and delete. One of them is needed beyond loopback."`
	InsecureSignIn   bool          `help:"Take passwords and tokens over plain HTTP beyond loopback, too: something in front speaks TLS that --external-url does not tell of."`
	ShareLogins      bool          `help:"Beyond loopback: use the registry sign-ins of docker's config.json for whoever asks. Without it registries are asked as nobody."`
	LogFormat        string        `enum:"text,json" default:"text" placeholder:"text|json" help:"Format of the log, which goes to standard error."`
	LogLevel         string        `enum:"debug,info,warn,error" default:"info" placeholder:"debug|info|warn|error" help:"Least level that is logged."`
}

type cli struct {
	flags

	ShowVersion kong.VersionFlag `name:"version" help:"Print the version."`

	Serve   struct{} `cmd:"" default:"withargs" help:"Start the dashboard (what happens without a command)."`
	Demo    struct{} `cmd:"" help:"Start it on sample images, with a registry of its own and no network; nothing is kept."`
	Version struct{} `cmd:"" help:"Print the version."`
	Help    struct{} `cmd:"" help:"Print this help."`
}

// envPrefix begins each flag's twin in the environment.
const envPrefix = "STOWAGE_"

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// parse reads the command line and the environment.
func parse(args []string, getenv func(string) string, stdout io.Writer) (command, flags, error) {
	var c cli
	answered := false
	parser, err := kong.New(&c,
		kong.Name("stowage"),
		kong.Description("A team's container image shelf: pull images for chosen platforms without an engine, keep them, and see what is in them at links you can paste."),
		kong.Writers(stdout, stdout),
		kong.Vars{"version": versionLine()},
		kong.Exit(func(int) { answered = true }),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 100}),
		kong.ValueFormatter(func(v *kong.Value) string {
			if v.Flag == nil || v.Name == "help" || v.Name == "version" {
				return v.Help
			}
			return fmt.Sprintf("%s%s ($%s)", v.Help, defaultIn(v), envName(v.Name))
		}),
		kong.Resolvers(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
			if s := getenv(envName(flag.Name)); s != "" {
				return s, nil
			}
			return nil, nil
		})),
	)
	if err != nil {
		return commandNone, flags{}, fmt.Errorf("command line: %w", err)
	}
	if len(args) > 0 && args[0] == string(commandHelp) {
		args = append(args[1:], "--help")
	}
	ctx, err := parser.Parse(args)
	if answered {
		return commandNone, flags{}, nil
	}
	if err != nil {
		return commandNone, flags{}, image.Errorf(image.Invalid, "%w", err).Suggest("See `stowage help`.")
	}
	return command(ctx.Command()), c.flags, nil
}

// defaultIn is what help says of a flag's default, unless its text does.
func defaultIn(v *kong.Value) string {
	if !v.HasDefault || v.Default == "0" { // what 0 means is said
		return ""
	}
	return fmt.Sprintf(" Default: %s.", v.Default)
}

// settings are flags that have been checked.
type settings struct {
	flags
	platform image.Platform
	loopback bool
	external string // address; empty: unknown
	list     []registry.Entry
	log      *slog.Logger
	terminal io.Writer // where whoever started the server reads

	maxUpload   int64 // bytes; 0 is no limit
	diskReserve int64 // bytes; 0 is the default, negative none
	memory      int64 // soft limit in bytes; 0 is none, -1 what the machine says
}

// checkHosts refuses what cannot be the name of a host.
func (f flags) checkHosts() error {
	for _, name := range f.Host {
		if !page.IsHostName(name) {
			return image.Errorf(image.Invalid, "--host: %q is not the name of a host", name).
				Suggest("Give a name alone, without scheme and port: shelf.example.com")
		}
	}
	for _, name := range f.InsecureRegistry {
		if _, err := netip.ParseAddr(name); err != nil && !page.IsHostPort(name) {
			return image.Errorf(image.Invalid, "--insecure-registry: %q is not a host", name).
				Suggest("Give a host, with its port if it has one, and no scheme: registry.example.com:5000")
		}
	}
	return nil
}

// check turns flags into settings. Errors are of kind Invalid and name the flag.
func (f flags) check(stderr io.Writer) (settings, error) {
	s := settings{flags: f, platform: image.ServerPlatform(), terminal: stderr}
	if f.Platform != "" {
		p, err := image.ParsePlatform(f.Platform)
		if err != nil {
			return s, fmt.Errorf("--platform: %w", err)
		}
		s.platform = p
	}
	if f.Auth != "" && f.Auth != "none" && f.Auth != authAccounts {
		return s, image.Errorf(image.Invalid, "--auth knows the words accounts and none, not %q", f.Auth)
	}
	host, _, err := net.SplitHostPort(f.Listen)
	if err != nil {
		return s, image.Errorf(image.Invalid, "--listen: %q is not an address with a port", f.Listen).
			Suggest("Give host and port, such as 127.0.0.1:8080.")
	}
	s.loopback = isLoopback(host)
	if !s.loopback && f.Auth == "" {
		return s, image.Errorf(image.Invalid, "--listen %s would let everybody on the network pull, upload and delete images",
			f.Listen).
			Suggest("Add --auth accounts, so that people sign in. Or listen on 127.0.0.1, or add --auth none if that is what you want.")
	}
	if f.ExternalURL != "" {
		if s.external, err = page.ParseExternalURL(f.ExternalURL); err != nil {
			return s, fmt.Errorf("--external-url: %w", err)
		}
	}
	if err := f.checkHosts(); err != nil {
		return s, err
	}
	if f.PullConcurrency < 1 || f.PullConcurrency > 64 {
		return s, image.Errorf(image.Invalid, "--pull-concurrency must be between 1 and 64")
	}
	if f.UndoWindow < 0 {
		return s, image.Errorf(image.Invalid, "--undo-window is a duration such as 10m, or 0, not %s", f.UndoWindow)
	}
	if f.CheckInterval != 0 && f.CheckInterval < updates.MinInterval {
		return s, image.Errorf(image.Invalid, "--check-interval must be at least %s, or 0", updates.MinInterval)
	}
	if f.MirrorFresh < 0 {
		return s, image.Errorf(image.Invalid, "--mirror-fresh is a duration such as 5m, or 0, not %s", f.MirrorFresh)
	}
	if s.Mirror, err = mirrored(f.Mirror); err != nil {
		return s, err
	}
	if s.memory, err = memoryLimit(f.MemoryLimit); err != nil {
		return s, err
	}
	if s.maxUpload, err = units.FromHumanSize(cmp.Or(f.MaxUpload, "0")); err != nil || s.maxUpload < 0 {
		return s, image.Errorf(image.Invalid, "--max-upload is a size such as 20GB, or 0, not %q", f.MaxUpload)
	}
	if s.diskReserve, err = reserve(f.DiskReserve); err != nil {
		return s, err
	}
	if s.list, err = f.registries(); err != nil {
		return s, err
	}
	s.log = newLogger(stderr, f.LogFormat, f.LogLevel)
	return s, nil
}

// reserve reads --disk-reserve: 0 for the default, negative for none.
func reserve(size string) (int64, error) {
	if size == "" {
		return 0, nil
	}
	bytes, err := units.FromHumanSize(size)
	if err != nil || bytes < 0 {
		return 0, image.Errorf(image.Invalid, "--disk-reserve is a size such as 2GB, or 0, not %q", size)
	}
	if bytes == 0 {
		return -1, nil
	}
	return bytes, nil
}

// mirrored reads the registries of --mirror, as references have them.
func mirrored(hosts []string) ([]string, error) {
	var all []string
	for _, h := range hosts {
		ref, err := image.ParseRepositoryReference(h + "/a/b")
		if err != nil || ref.Repository.Path() != "a/b" || ref.Repository.Host() != h && h != "index.docker.io" {
			return nil, image.Errorf(image.Invalid, "--mirror: %q is not a registry's host", h).
				Suggest("Give it as references have it: docker.io, ghcr.io, registry.example.com:5000.")
		}
		all = append(all, ref.Repository.Host())
	}
	return all, nil
}

// isLoopback reports whether listening on host reaches this machine only.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
