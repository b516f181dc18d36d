package imagepage

import (
	"encoding/json"
	"net"
	"net/url"
	"path"
	"strings"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/views/text"
	"github.com/stowage/stowage/views/ui"
)

// UseView is how engines and registry tools pull an image from this server.
type UseView struct {
	Server     string           // its address: http://shelf:8080; empty where it is unknown
	Repository image.Repository // empty where none leads to the image
	Tag        string           // empty where the page is of a digest or an ID
	Digest     image.Digest
	Platforms  int              // that there are to choose from, stored or not
	Stored     []image.Platform // of them, those that are handed out
	Asked      image.Platform   // the page is of this one; zero: of the one that comes first
	Shown      image.Platform
	Broken     bool // and so not handed out
	Fetches    bool // what is missing is fetched for clients
}

// useCommands are the same for several tools.
type useCommands struct {
	id       string // of the part
	heading  text.MessageID
	text     text.MessageID
	commands []string
}

// engineSetting is a piece of a tool's settings.
type engineSetting struct {
	id   string // of its text
	tool string
	file string
	text string
}

// plain reports whether the server is reached without TLS.
func (v UseView) plain() bool { return strings.HasPrefix(v.Server, "http:") }

// insecure reports whether engines take that only when they are told to. From loopback docker and crane take it by
// themselves.
func (v UseView) insecure() bool { return v.plain() && !isLoopback(v.hostname()) }

func (v UseView) hostname() string {
	u, err := url.Parse(v.Server)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// registry returns the server as references name it. A name without a period is a registry only with its port.
func (v UseView) registry() string {
	scheme, host, _ := strings.Cut(v.Server, "://")
	if host == "localhost" || strings.ContainsAny(host, ".:") {
		return host
	}
	if scheme == "https" {
		return host + ":443"
	}
	return host + ":80"
}

// parts returns the commands, by the tag where there is one, and by the digest.
func (v UseView) parts() []useCommands {
	var parts []useCommands
	name := v.registry() + "/" + v.Repository.AsPath()
	if v.Tag != "" {
		parts = append(parts, useCommands{"use-tag", "use.by_tag", "use.by_tag_text", v.commands(name+":"+v.Tag, ":"+v.Tag)})
	}
	return append(parts, useCommands{"use-digest", "use.by_digest", "use.by_digest_text",
		v.commands(name+"@"+string(v.Digest), "")})
}

// commands words what pulls a reference. suffix names it within a folder that takes several.
func (v UseView) commands(ref, suffix string) []string {
	to := path.Base(v.Repository.Path())
	// docker, podman and skopeo take their machine's platform; the others take all, or amd64.
	own, other := v.Asked, image.Platform{}
	if own == (image.Platform{}) && len(v.Stored) == 1 && v.partly() && !v.Fetches {
		own = v.Stored[0] // whatever their machine is, there is no other
	}
	if v.Platforms > 1 {
		other = v.Shown
	} else {
		own = image.Platform{}
	}
	regctl := shellLine("regctl", "image", "copy", platformFlag(other), ref, "ocidir://"+to+suffix)
	if v.plain() {
		regctl = shellLine("regctl", "registry", "set", "--tls", "disabled", v.registry()) + " && " + regctl
	}
	return []string{
		shellLine("docker", "pull", platformFlag(own), ref),
		shellLine("podman", "pull", when(v.plain(), "--tls-verify=false"), platformFlag(own), ref),
		shellLine("skopeo", skopeoPlatform(own), "copy", when(v.plain(), "--src-tls-verify=false"), "docker://"+ref,
			"oci:"+to+suffix),
		shellLine("crane", "pull", when(v.insecure(), "--insecure"), platformFlag(other), ref, to+".tar"),
		regctl,
		shellLine("oras", "copy", when(v.plain(), "--from-plain-http"), platformFlag(other), ref, "--to-oci-layout",
			to+suffix),
	}
}

// shellLine writes words, and lists of words, for a shell.
func shellLine(all ...any) string {
	var typed []string
	for _, w := range all {
		switch w := w.(type) {
		case string:
			typed = append(typed, w)
		case []string:
			typed = append(typed, w...)
		}
	}
	return ui.ShellWords(typed)
}

func when(is bool, flag string) []string {
	if is {
		return []string{flag}
	}
	return nil
}

// platformFlag is the flag as docker and most tools have it; they know no version of an operating system.
func platformFlag(p image.Platform) []string {
	if !p.Known() {
		return nil
	}
	p.OSVersion = ""
	return []string{"--platform", p.String()}
}

func skopeoPlatform(p image.Platform) []string {
	if !p.Known() {
		return nil
	}
	flags := []string{"--override-os", p.OS, "--override-arch", p.Architecture}
	if p.Variant != "" {
		flags = append(flags, "--override-variant", p.Variant)
	}
	return flags
}

// partly reports whether the index lists platforms that nobody gets here.
func (v UseView) partly() bool { return len(v.Stored) < v.Platforms }

// insecureSetting has docker take plain HTTP from the server.
func (v UseView) insecureSetting() engineSetting {
	return engineSetting{"use-insecure", "docker", dockerSettings, jsonLine("insecure-registries", v.registry())}
}

const dockerSettings = "/etc/docker/daemon.json"

// mirrors are the settings with which engines ask this server first for what is of the image's registry.
func (v UseView) mirrors() []engineSetting {
	host := v.Repository.Host()
	server := "https://" + host
	var all []engineSetting
	if host == image.DockerHub {
		server = "https://registry-1.docker.io"
		all = append(all, engineSetting{"use-docker-mirror", "docker", dockerSettings,
			jsonLine("registry-mirrors", v.Server)})
	}
	all = append(all, engineSetting{
		"use-containerd", "containerd", "/etc/containerd/certs.d/" + host + "/hosts.toml",
		"server = \"" + server + "\"\n\n[host.\"" + v.Server + "\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
	})
	at, _, _ := strings.Cut(v.Repository.AsPath(), "/")
	podman := "[[registry]]\nlocation = \"" + host + "\"\n[[registry.mirror]]\nlocation = \"" + v.registry() +
		"/" + at + "\"\n"
	if v.plain() {
		podman += "insecure = true\n"
	}
	return append(all, engineSetting{"use-podman", "podman, skopeo, buildah", "/etc/containers/registries.conf", podman})
}

// jsonLine writes an object of lists as docker's documentation does: { "key": ["value"] }.
func jsonLine(key, value string) string {
	quoted, err := json.Marshal(value)
	if err != nil { // a string can always be written
		return ""
	}
	return `{ "` + key + `": [` + string(quoted) + "] }\n"
}
