package image

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ChangeKind says what became of one thing between two digests.
type ChangeKind string

// The kinds of changes.
const (
	Same    ChangeKind = "same"
	Added   ChangeKind = "added"
	Gone    ChangeKind = "gone"
	Changed ChangeKind = "changed"
)

// PlatformManifest is a platform with the digest of its manifest, as an index lists it.
type PlatformManifest struct {
	Platform Platform
	Manifest Digest
}

// PlatformChange is what became of one platform.
type PlatformChange struct {
	Kind     ChangeKind
	Platform Platform
	From, To Digest // manifests; empty where there is none
}

// ComparePlatforms returns what became of each platform: those of to in their order, then those that are gone. An
// index that lists a platform twice means the first one (image-spec, image-index.md).
func ComparePlatforms(from, to []PlatformManifest) []PlatformChange {
	before := map[Platform]Digest{}
	for _, p := range slices.Backward(from) {
		before[p.Platform] = p.Manifest
	}
	seen := map[Platform]bool{}
	var all []PlatformChange
	for _, p := range to {
		if seen[p.Platform] {
			continue
		}
		seen[p.Platform] = true
		c := PlatformChange{Kind: Added, Platform: p.Platform, From: before[p.Platform], To: p.Manifest}
		switch {
		case c.From == c.To:
			c.Kind = Same
		case c.From != "":
			c.Kind = Changed
		}
		all = append(all, c)
	}
	for _, p := range from {
		if !seen[p.Platform] {
			seen[p.Platform] = true
			all = append(all, PlatformChange{Kind: Gone, Platform: p.Platform, From: p.Manifest})
		}
	}
	return all
}

// ConfigField names a part of a config.
type ConfigField string

// The parts that are compared, in the order in which CompareConfigs gives them. Those of many have keys.
const (
	FieldCreated     ConfigField = "created"
	FieldAuthor      ConfigField = "author"
	FieldPlatform    ConfigField = "platform"
	FieldUser        ConfigField = "user"
	FieldWorkingDir  ConfigField = "working_dir"
	FieldEntrypoint  ConfigField = "entrypoint"
	FieldCmd         ConfigField = "cmd"
	FieldEnv         ConfigField = "env"    // key: the variable
	FieldPort        ConfigField = "port"   // key: the port
	FieldVolume      ConfigField = "volume" // key: the path
	FieldLabel       ConfigField = "label"  // key: the label
	FieldStopSignal  ConfigField = "stop_signal"
	FieldHealthcheck ConfigField = "healthcheck"
	FieldShell       ConfigField = "shell"
	FieldOnBuild     ConfigField = "on_build"
)

// ConfigChange is one difference between two configs. Keys and values are hostile text.
type ConfigChange struct {
	Kind     ChangeKind // Added, Gone or Changed
	Field    ConfigField
	Key      string
	From, To string // lists and health checks as JSON
}

// CompareConfigs returns the differences between two configs; nothing for equal ones. The history is left out: layers
// are compared by themselves.
func CompareConfigs(from, to *Config) []ConfigChange {
	d := configDiff{}
	a, b := from.Config, to.Config
	d.value(FieldCreated, timeText(from.Created), timeText(to.Created))
	d.value(FieldAuthor, from.Author, to.Author)
	d.value(FieldPlatform, from.Platform().String(), to.Platform().String())
	d.value(FieldUser, a.User, b.User)
	d.value(FieldWorkingDir, a.WorkingDir, b.WorkingDir)
	d.value(FieldEntrypoint, listText(a.Entrypoint), listText(b.Entrypoint))
	d.value(FieldCmd, listText(a.Cmd), listText(b.Cmd))
	d.keyed(FieldEnv, envMap(a.Env), envMap(b.Env))
	d.keyed(FieldPort, setMap(a.ExposedPorts), setMap(b.ExposedPorts))
	d.keyed(FieldVolume, setMap(a.Volumes), setMap(b.Volumes))
	d.keyed(FieldLabel, a.Labels, b.Labels)
	d.value(FieldStopSignal, a.StopSignal, b.StopSignal)
	d.value(FieldHealthcheck, healthText(a.Healthcheck), healthText(b.Healthcheck))
	d.value(FieldShell, listText(a.Shell), listText(b.Shell))
	d.value(FieldOnBuild, listText(a.OnBuild), listText(b.OnBuild))
	return d.changes
}

type configDiff struct{ changes []ConfigChange }

func (d *configDiff) value(f ConfigField, from, to string) {
	d.add(f, "", from, to, from != "", to != "")
}

func (d *configDiff) keyed(f ConfigField, from, to map[string]string) {
	keys := maps.Clone(from)
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, to)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		a, had := from[key]
		b, has := to[key]
		d.add(f, key, a, b, had, has)
	}
}

func (d *configDiff) add(f ConfigField, key, from, to string, had, has bool) {
	c := ConfigChange{Kind: Changed, Field: f, Key: key, From: from, To: to}
	switch {
	case had == has && from == to:
		return
	case !had:
		c.Kind = Added
	case !has:
		c.Kind = Gone
	}
	d.changes = append(d.changes, c)
}

func timeText(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// listText returns a list as Dockerfiles and docker write one; empty for none.
func listText(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return jsonText(list)
}

func healthText(h *Healthcheck) string {
	if h == nil {
		return ""
	}
	return jsonText(h)
}

func jsonText(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // strings, numbers and lists of them always marshal
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// envMap returns variables by name; of a name that is set twice the last one counts, as for a container.
func envMap(env []string) map[string]string {
	all := make(map[string]string, len(env))
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		all[name] = value
	}
	return all
}

func setMap(set map[string]struct{}) map[string]string {
	all := make(map[string]string, len(set))
	for key := range set {
		all[key] = ""
	}
	return all
}

// LayerPart is a layer as it is compared.
type LayerPart struct {
	Digest    Digest
	DiffID    Digest // layers with equal diff IDs are the same, however they were compressed
	Size      int64  // compressed bytes
	Unpacked  int64  // bytes as docker counts them; negative while unknown
	CreatedBy string // hostile text
}

// LayerChange is what became of one layer: Same, Added or Gone.
type LayerChange struct {
	Kind ChangeKind
	LayerPart
}

// maxLayerPairs bounds what CompareLayers compares one by one: two images of 1,000 layers, the most there are.
const maxLayerPairs = MaxLayers * MaxLayers

// CompareLayers returns what became of each layer, base first: where layers went, those of from stand before those of
// to that came in their place. As few as possible are Added and Gone.
func CompareLayers(from, to []LayerPart) []LayerChange {
	var all []LayerChange
	same := func(l LayerPart) { all = append(all, LayerChange{Same, l}) }
	for len(from) > 0 && len(to) > 0 && from[0].DiffID == to[0].DiffID {
		same(to[0])
		from, to = from[1:], to[1:]
	}
	length := commonLayers(from, to)
	for i, j := 0, 0; i < len(from) || j < len(to); {
		switch {
		case i < len(from) && j < len(to) && from[i].DiffID == to[j].DiffID:
			same(to[j])
			i, j = i+1, j+1
		case i < len(from) && (j == len(to) || length == nil || length[i+1][j] >= length[i][j+1]):
			all = append(all, LayerChange{Gone, from[i]})
			i++
		default:
			all = append(all, LayerChange{Added, to[j]})
			j++
		}
	}
	return all
}

// commonLayers returns the lengths of the longest common subsequences of the ends of two lists; nil where the lists are
// too long.
func commonLayers(from, to []LayerPart) [][]uint16 {
	if len(from)*len(to) > maxLayerPairs {
		return nil
	}
	length := make([][]uint16, len(from)+1)
	for i := range length {
		length[i] = make([]uint16, len(to)+1)
	}
	for i := len(from) - 1; i >= 0; i-- {
		for j := len(to) - 1; j >= 0; j-- {
			if from[i].DiffID == to[j].DiffID {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	return length
}

// String words a change for tests and logs.
func (c ConfigChange) String() string {
	key := string(c.Field)
	if c.Key != "" {
		key += " " + c.Key
	}
	return string(c.Kind) + " " + key + ": " + strconv.Quote(c.From) + " → " + strconv.Quote(c.To)
}
