package docker

import (
	"path"
	"slices"
	"strings"
)

// tool is a programme that names images in its commands.
type tool struct {
	valued   string    // global flags that take a value, in words
	platform string    // the letter that is short for --platform
	commands []command // longer ones before shorter ones that they begin with
}

// command is one of a tool's commands.
type command struct {
	words  string // such as "image pull"
	valued string // flags that take a value, long ones and single letters, in words
	takes  takes
}

// takes says which argument of a command is the image.
type takes int

// What commands take.
const (
	takesOne       takes = iota // the only argument
	takesFirst                  // the first one, whatever follows
	takesTransport              // the first one, if it is docker://…
	takesFlag                   // the value of --image
)

// Flags with a value, by the tools' own help (docker 29, podman 5, nerdctl 2). A flag that is not here takes none.
const (
	dockerGlobal = "config context c host H log-level l tlscacert tlscert tlskey namespace n address a snapshotter connection url identity root runroot"

	dockerRun = `add-host annotation attach a blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile
		cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares c cpus cpuset-cpus cpuset-mems
		detach-keys device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops dns dns-opt
		dns-option dns-search domainname entrypoint env e env-file expose gpus group-add health-cmd health-interval
		health-retries health-start-interval health-start-period health-timeout hostname h io-maxbandwidth io-maxiops ip ip6
		ipc isolation kernel-memory label l label-file link link-local-ip log-driver log-opt mac-address memory m
		memory-reservation memory-swap memory-swappiness mount name net net-alias network network-alias oom-score-adj pid
		pids-limit platform publish p pull restart runtime security-opt shm-size stop-signal stop-timeout storage-opt sysctl
		tmpfs ulimit user u userns uts volume v volume-driver volumes-from workdir w`
	podmanRun = `arch authfile cert-dir cgroup-conf chrootdirs conmon-pidfile creds decryption-key env-merge gidmap
		group-entry health-log-destination health-max-log-count health-max-log-size health-on-failure health-startup-cmd
		health-startup-interval health-startup-retries health-startup-success health-startup-timeout hosts-file hostuser
		image-volume init-ctr init-path label-file os passwd-entry personality pidfile pod pod-id-file preserve-fd
		preserve-fds requires retry retry-delay sdnotify seccomp-policy secret shm-size-systemd subgidname subuidname
		systemd timeout tz uidmap umask unsetenv variant`
	nerdctlRun = "cgroup-manager cosign-key ipfs-address label-file log-uri pidfile rdt-class umask verify"

	dockerPull = "platform arch os variant authfile cert-dir creds decryption-key retry retry-delay cosign-key verify ipfs-address soci-index-digest"
	inspectAs  = "format f type platform"

	skopeoFlags = `command-timeout override-arch override-os override-variant policy registries.d tmpdir authfile creds username
		password cert-dir format f retry-times retry-delay src-authfile dest-authfile src-creds dest-creds src-username
		src-password dest-username dest-password src-cert-dir dest-cert-dir src-shared-blob-dir dest-shared-blob-dir
		src-daemon-host dest-daemon-host src-registry-token dest-registry-token registry-token additional-tag digestfile
		multi-arch dest-compress-format dest-compress-level encrypt-layer encryption-key decryption-key sign-by
		sign-by-sigstore sign-by-sigstore-private-key sign-passphrase-file sign-identity image-parallel-copies`
	craneFlags  = "platform format cache_path c output o new_tag t"
	regctlFlags = `platform p format host verbosity v logopt header user-agent output o digest-tags-file external-urls-file
		include-external-file referrers-src referrers-tgt filter-artifact-type`
	orasFlags = `platform output o username u password p config registry-config from-registry-config to-registry-config media-type
		format concurrency artifact-type ca-file cert-file key-file resolve`
)

var engine = tool{valued: dockerGlobal, commands: []command{
	{"image pull", dockerPull, takesOne}, {"pull", dockerPull, takesOne},
	{"container run", dockerRun + " " + podmanRun + " " + nerdctlRun, takesFirst},
	{"run", dockerRun + " " + podmanRun + " " + nerdctlRun, takesFirst},
	{"container create", dockerRun + " " + podmanRun + " " + nerdctlRun, takesFirst},
	{"create", dockerRun + " " + podmanRun + " " + nerdctlRun, takesFirst},
	{"image inspect", inspectAs, takesOne}, {"inspect", inspectAs, takesOne},
	{"image history", "format platform", takesOne}, {"history", "format platform", takesOne},
	{"image save", "output o platform format", takesOne}, {"save", "output o platform format", takesOne},
	{"image push", "platform", takesOne}, {"push", "platform", takesOne},
	{"image tag", "", takesFirst}, {"tag", "", takesFirst},
	{"image rm", "platform", takesOne}, {"rmi", "platform", takesOne},
	{"manifest inspect", "", takesOne}, {"buildx imagetools inspect", "builder format", takesOne},
}}

// tools are the programmes, by name.
var tools = map[string]tool{
	"docker": engine, "podman": engine, "nerdctl": engine, "finch": engine,
	"skopeo": {valued: skopeoFlags, commands: []command{
		{"copy", skopeoFlags, takesTransport}, {"inspect", skopeoFlags, takesTransport},
		{"list-tags", skopeoFlags, takesTransport},
	}},
	"crane": {valued: craneFlags, commands: []command{
		{"pull", craneFlags, takesFirst}, {"manifest", craneFlags, takesFirst}, {"digest", craneFlags, takesFirst},
		{"config", craneFlags, takesFirst},
		{"copy", craneFlags, takesFirst}, {"cp", craneFlags, takesFirst}, {"export", craneFlags, takesFirst},
		{"ls", craneFlags, takesFirst},
		{"validate", "platform remote", takesFirst}, {"tag", craneFlags, takesFirst},
	}},
	"regctl": {valued: regctlFlags, platform: "p", commands: []command{
		{"image copy", regctlFlags, takesFirst}, {"image cp", regctlFlags, takesFirst},
		{"image export", regctlFlags, takesFirst},
		{"image inspect", regctlFlags, takesFirst}, {"image config", regctlFlags, takesFirst},
		{"image digest", regctlFlags, takesFirst},
		{"image manifest", regctlFlags, takesFirst}, {"image get-file", regctlFlags, takesFirst},
		{"image check-base", regctlFlags, takesFirst},
		{"manifest get", regctlFlags, takesFirst}, {"manifest head", regctlFlags, takesFirst},
		{"manifest digest", regctlFlags, takesFirst},
		{"digest", regctlFlags, takesFirst}, {"tag ls", regctlFlags, takesFirst}, {"tag list", regctlFlags, takesFirst},
	}},
	"oras": {commands: []command{
		{"manifest fetch-config", orasFlags, takesFirst}, {"manifest fetch", orasFlags, takesFirst},
		{"repo tags", orasFlags, takesFirst},
		{"pull", orasFlags, takesFirst}, {"copy", orasFlags, takesFirst}, {"cp", orasFlags, takesFirst},
		{"discover", orasFlags, takesFirst}, {"resolve", orasFlags, takesFirst},
	}},
	"ctr": {valued: "address a namespace n timeout connect-timeout", commands: []command{
		{"images pull", "platform user u hosts-dir snapshotter tlscacert tlscert tlskey label", takesFirst},
		{"image pull", "platform user u hosts-dir snapshotter tlscacert tlscert tlskey label", takesFirst},
		{"i pull", "platform user u hosts-dir snapshotter tlscacert tlscert tlskey label", takesFirst},
	}},
	"crictl": {valued: "runtime-endpoint r image-endpoint i timeout t config c", commands: []command{
		{"pull", "auth creds annotation a pod-config", takesOne}, {"inspecti", "output o template", takesOne},
	}},
	"kubectl": {valued: "namespace n context kubeconfig cluster user server s", commands: []command{
		{"run", "image", takesFlag}, {"create deployment", "image", takesFlag}, {"debug", "image", takesFlag},
	}},
}

// readCommand reads the words of one command.
func readCommand(words []string) (Paste, bool) {
	words = withoutPrompt(words)
	if len(words) < 3 {
		return Paste{}, false
	}
	t, known := tools[strings.TrimSuffix(path.Base(words[0]), ".exe")]
	if !known {
		return Paste{}, false
	}
	global := flagsIn(words[1:], t.valued, true)
	rest := words[1+global.end:]
	for _, c := range t.commands {
		after, ok := cutWords(rest, strings.Fields(c.words))
		if !ok {
			continue
		}
		found := flagsIn(after, c.valued, c.takes == takesFirst)
		name, ok := c.name(found)
		if !ok {
			return Paste{}, false
		}
		p := Paste{Name: name, Platform: t.platformIn(global, found)}
		p.AllTags = strings.HasSuffix(c.words, "pull") && (found.set["all-tags"] || found.set["a"])
		return p, true
	}
	return Paste{}, false
}

// name finds the image among a command's arguments.
func (c command) name(found flags) (name string, ok bool) {
	switch arguments := found.arguments; {
	case c.takes == takesFlag:
		name = found.values["image"]
	case len(arguments) == 0 || c.takes == takesOne && len(arguments) != 1:
		return "", false
	case c.takes == takesTransport:
		name, ok = strings.CutPrefix(arguments[0], "docker://")
		return name, ok && name != ""
	default:
		name = arguments[0]
	}
	return name, name != ""
}

// platformIn finds the one platform that flags name; empty where there is none, or none that can be told from here.
func (t tool) platformIn(global, found flags) string {
	value := func(name string) string {
		if v := found.values[name]; v != "" {
			return v
		}
		return global.values[name]
	}
	p := value("platform")
	if p == "" && t.platform != "" {
		p = value(t.platform)
	}
	if p == "" {
		p = joinedPlatform(value("os"), value("arch"), value("variant"))
	}
	if p == "" {
		p = joinedPlatform(value("override-os"), value("override-arch"), value("override-variant"))
	}
	if strings.ContainsAny(p, "$,") || p == "all" || p == "local" {
		return ""
	}
	return p
}

// isCommand reports whether a text is a command line of a known tool for sure, and not words to search for: it has a
// flag.
func isCommand(line string) bool {
	words := withoutPrompt(strings.Fields(line))
	if len(words) < 2 {
		return false
	}
	_, known := tools[strings.TrimSuffix(path.Base(words[0]), ".exe")]
	return known && slices.ContainsFunc(words[1:], func(w string) bool { return len(w) > 1 && w[0] == '-' })
}

// withoutPrompt takes off what stands before a command: the prompt, sudo, variables.
func withoutPrompt(words []string) []string {
	for len(words) > 0 {
		w := words[0]
		name, _, assigned := strings.Cut(w, "=")
		switch {
		case strings.HasSuffix(w, "$"), strings.HasSuffix(w, "#"), w == "%":
		case w == "sudo", w == "doas", w == "time", w == "exec", w == "RUN":
		case strings.HasPrefix(w, "-"): // sudo's own
		case assigned && !strings.ContainsAny(name, "/:.-"):
		default:
			return words
		}
		words = words[1:]
	}
	return words
}

// cutWords takes a command's own words off, and reports whether they are there.
func cutWords(words, prefix []string) ([]string, bool) {
	if len(words) < len(prefix) {
		return nil, false
	}
	for i, p := range prefix {
		if words[i] != p {
			return nil, false
		}
	}
	return words[len(prefix):], true
}

// flags are the flags in a list of words, and the words that are none.
type flags struct {
	values    map[string]string // the last value of each, by its name without dashes
	set       map[string]bool   // those without a value
	arguments []string
	end       int // how many words were read
}

// flagsIn tells flags from arguments. valued are the names of those that take a value, which is joined to them or the
// next word. leading stops at the first argument.
func flagsIn(words []string, valued string, leading bool) flags {
	takes := map[string]bool{}
	for _, name := range strings.Fields(valued) {
		takes[name] = true
	}
	f := flags{values: map[string]string{}, set: map[string]bool{}}
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "--" {
			f.arguments = append(f.arguments, words[i+1:]...)
			return f.endingAt(i + 1)
		}
		if len(w) < 2 || w[0] != '-' {
			f.arguments = append(f.arguments, w)
			if leading {
				return f.endingAt(i)
			}
			continue
		}
		if f.read(w, takes) && i+1 < len(words) {
			i++
			f.values[f.pending(w)] = words[i]
		}
	}
	return f.endingAt(len(words))
}

func (f flags) endingAt(i int) flags {
	f.end = i
	return f
}

// read notes one word of flags, and reports whether the value of its last one is the next word.
func (f flags) read(w string, takes map[string]bool) (waits bool) {
	if name, ok := strings.CutPrefix(w, "--"); ok {
		name, value, joined := strings.Cut(name, "=")
		switch {
		case joined && !takes[name]:
			f.set[name] = value != "false"
		case joined:
			f.values[name] = value
		default:
			f.set[name] = !takes[name]
		}
		return !joined && takes[name]
	}
	for i, letter := range w[1:] {
		name := string(letter)
		if !takes[name] {
			f.set[name] = true
			continue
		}
		if rest := w[1+i+len(name):]; rest != "" {
			f.values[name] = strings.TrimPrefix(rest, "=")
			return false
		}
		return true
	}
	return false
}

// pending returns the name of the flag at the end of a word.
func (f flags) pending(w string) string {
	if name, ok := strings.CutPrefix(w, "--"); ok {
		return name
	}
	letters := []rune(w)
	return string(letters[len(letters)-1])
}
