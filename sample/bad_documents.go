package sample

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// BadDocument is an image whose manifest or config is made to fill memory, pages or time. Everything that it states is
// true, and its layers are small.
type BadDocument struct {
	Name    string // such as many-labels, fit for a repository
	Refused string // what a registry's client should say of it; empty where it is within the limits
	Source  Source
}

// BadDocuments are the documents that anything shown of an image is held against. They are as bad as what is taken in
// may be: 4 MiB of manifest, 8 MiB of config, 100,000 values, 100 levels, 1,000 layers, 2,000 platforms.
func BadDocuments() []BadDocument {
	const values = 90_000 // below the limit, with what an image has anyway
	numbers := strings.TrimSuffix(strings.Repeat("1,", values), ",")
	all := []BadDocument{
		{"too-deep", "nested deeper than 100 levels",
			withKey(strings.Repeat("[", 6000) + numbers + strings.Repeat("]", 6000))},
		{"deep", "", withKey(strings.Repeat("[", 98) + numbers + strings.Repeat("]", 98))},
		{"deep-objects", "", withKey(strings.Repeat(`{"a":`, 98) + "[" + numbers + "]" + strings.Repeat("}", 98))},
		{"long-numbers", "", withKey("[" + strings.Repeat("9", 3<<20) + ",1e" + strings.Repeat("9", 1<<19) + "]")},
		{"many-digests", "", withKey(`"` + strings.Repeat("sha256:"+strings.Repeat("a", 64)+" ", 50_000) + `"`)},
		{"many-layers", "", manyLayers(1000)},
		{"many-platforms", "", Index{Entries: append([]Source{small(linuxAMD64)}, WideIndex(1999).Entries...)}},
	}
	for _, name := range slices.Sorted(maps.Keys(costlyTexts)) {
		part := costlyTexts[name]
		all = append(all,
			BadDocument{"manifest-of-" + name, "", withKey(`"` + strings.Repeat(part, 3<<20/len(part)) + `"`)},
			BadDocument{"labels-of-" + name, "", longTexts(strings.Repeat(part, 100_000/len(part)))},
		)
	}
	return append(all, manyValues(values)...)
}

// costlyTexts are parts of JSON strings that become many times as large once they are shown: as entities, as escapes,
// in elements of their own.
var costlyTexts = map[string]string{"markup": `<&'`, "quotes": `\"`, "deletes": "a\x7f", "overrides": "a\u202e",
	"tags": "\U000e0041", "wide": "한"}

// withKey is an image whose manifest has a key more that nobody knows, with a value as given.
func withKey(value string) Source { return edited{func(b *Built) { setKey(b, value) }} }

// edited is a small image that is changed after it was built.
type edited struct{ change func(b *Built) }

// Build implements Source.
func (e edited) Build() (Built, error) {
	b, err := small(linuxAMD64).Build()
	if err != nil {
		return Built{}, err
	}
	e.change(&b)
	return b, nil
}

func setKey(b *Built, value string) {
	platform := b.Descriptor.Platform
	b.Body = []byte(strings.ReplaceAll(strings.TrimSuffix(string(b.Body), "}"), "\n", "") + `,"x":` + value + "}")
	b.Descriptor = dataBlob(b.Descriptor.MediaType, b.Body).Descriptor
	b.Descriptor.Platform = platform
}

// longTexts is an image with 60 copies of a long text wherever a config has texts, some 7 MB of them.
func longTexts(text string) Image {
	text = strings.ReplaceAll(text, `\"`, `"`)
	im := small(linuxAMD64, Step{By: "RUN " + text, Comment: text})
	im.Author = text
	im.Config.User, im.Config.WorkingDir, im.Config.StopSignal = text, text, text
	im.Config.Entrypoint, im.Config.Shell = []string{text}, []string{text}
	im.Config.Labels = map[string]string{}
	for i := range 15 {
		im.Config.Labels[fmt.Sprintf("%d%s", i, text[:2000])] = text
		im.Config.Env = append(im.Config.Env, fmt.Sprintf("E%d=%s", i, text))
		im.Config.OnBuild = append(im.Config.OnBuild, text)
	}
	return im
}

// manyLayers is an image of n layers, all of them the same one, with a step without a layer between any two.
func manyLayers(n int) Image {
	im := small(linuxAMD64)
	l := NewLayer(Gzip, Text("one", "1\n"))
	for i := range n - 1 {
		im.Steps = append(im.Steps, copied(fmt.Sprintf("step %d /", i), l), Step{By: "ENV A=" + strings.Repeat("<", 500)})
	}
	return im
}

// manyValues are images with a great many of everything that a config lists.
func manyValues(n int) []BadDocument {
	history := small(linuxAMD64)
	for range n / 5 {
		history.Steps = append(history.Steps, Step{By: "ENV A=b"})
	}
	labels, env := small(linuxAMD64), small(linuxAMD64)
	labels.Config.Labels = map[string]string{}
	for i := range n / 2 {
		labels.Config.Labels[fmt.Sprintf("label.%d", i)] = "https://example.com/?a&b&c"
	}
	for range n {
		env.Config.Env = append(env.Config.Env, "A=b")
	}
	lists := small(linuxAMD64)
	lists.Config.Volumes, lists.Config.ExposedPorts = map[string]struct{}{}, map[string]struct{}{}
	for i := range n / 6 {
		lists.Config.Cmd, lists.Config.OnBuild = append(lists.Config.Cmd, "'"), append(lists.Config.OnBuild, "RUN <")
		lists.Config.Volumes[fmt.Sprintf("/v%d", i)], lists.Config.ExposedPorts[fmt.Sprintf("%d/tcp", i)] = struct{}{},
			struct{}{}
	}
	links := small(linuxAMD64)
	links.Config = Config{ImageConfig: v1.ImageConfig{Labels: map[string]string{}}}
	for i := range 3000 {
		links.Config.Labels[fmt.Sprintf("url.%d", i)] = "https://example.com/?" + strings.Repeat("&", 1900)
	}
	return []BadDocument{
		{"many-steps", "", history}, {"many-labels", "", labels}, {"many-variables", "", env}, {"long-lists", "", lists},
		{"many-addresses", "", links},
		{"too-many-values", "more than 100000 values", withKey("[" + strings.Repeat("{},", 110_000) + "{}]")},
	}
}
