package docker_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/shelf/docker"
)

const jammyConfig = `{
	"architecture": "arm64", "variant": "v8", "os": "linux", "created": "2023-12-12T11:38:59.637410824Z", "docker_version": "20.10.21",
	"config": {"Env": ["PATH=/usr/bin:/bin"], "Cmd": ["/bin/bash"], "Labels": {"org.opencontainers.image.version": "22.04"}, "Volumes": {}},
	"rootfs": {"type": "layers", "diff_ids": ["sha256:3e5443b69fa410e0425d7ed2d3d96711d256bccd2f8b94135c5689f8c6bb8e6b"]},
	"history": [{"created_by": "first", "comment": "old"}, {"created_by": "last", "comment": "imported", "empty_layer": true}]
}`

func inspect(t *testing.T, config string, unpacked int64) string {
	t.Helper()
	var c image.Config
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		t.Fatal(err)
	}
	tag, err := image.ParseReference("ubuntu:22.04")
	if err != nil {
		t.Fatal(err)
	}
	id := image.DigestOf([]byte(config))
	b, err := docker.Inspect(docker.Inspected{
		ID: id, Config: &c, Tags: []image.Reference{tag},
		Digests: []image.Reference{tag.WithTag("").WithDigest(image.DigestOf(nil))}, Unpacked: unpacked,
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), string(id), "sha256:ID")
}

// The expected text has docker's keys and values (docker inspect ubuntu:22.04, Engine API 1.51); of the containerd
// store it lacks Descriptor.
func TestInspectWordsAnImageAsDockerDoes(t *testing.T) {
	want := `[
    {
        "Id": "sha256:ID",
        "RepoTags": [
            "ubuntu:22.04"
        ],
        "RepoDigests": [
            "ubuntu@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        ],
        "Parent": "",
        "Comment": "imported",
        "Created": "2023-12-12T11:38:59.637410824Z",
        "DockerVersion": "20.10.21",
        "Author": "",
        "Config": {
            "User": "",
            "Env": [
                "PATH=/usr/bin:/bin"
            ],
            "Entrypoint": null,
            "Cmd": [
                "/bin/bash"
            ],
            "Volumes": null,
            "WorkingDir": "",
            "Labels": {
                "org.opencontainers.image.version": "22.04"
            },
            "OnBuild": null
        },
        "Architecture": "arm64",
        "Variant": "v8",
        "Os": "linux",
        "Size": 120719656,
        "GraphDriver": {
            "Data": null,
            "Name": ""
        },
        "RootFS": {
            "Type": "layers",
            "Layers": [
                "sha256:3e5443b69fa410e0425d7ed2d3d96711d256bccd2f8b94135c5689f8c6bb8e6b"
            ]
        },
        "Metadata": {
            "LastTagTime": "0001-01-01T00:00:00Z"
        }
    }
]
`
	if got := inspect(t, jammyConfig, 120719656); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestInspectSaysNullWhileTheSizeIsUnknown(t *testing.T) {
	if got := inspect(t, jammyConfig, -1); !strings.Contains(got, `"Size": null,`) {
		t.Errorf("no null size in\n%s", got)
	}
}

func TestInspectLeavesMarkupAndEmptyListsAsDockerDoes(t *testing.T) {
	got := inspect(t, `{"architecture": "amd64", "os": "windows", "os.version": "10.0.17763.1", "author": "<b>&", "comment": "own",
		"config": {"Env": [], "Labels": {}, "ExposedPorts": {"80/tcp": {}}, "Healthcheck": {"Test": ["NONE"], "Interval": 1000000000}, "Shell": ["cmd"]},
		"rootfs": {"type": "layers"}, "history": [{"comment": "not this"}]}`, 0)
	for _, want := range []string{
		`"Author": "<b>&"`, `"Comment": "own"`, `"Env": null`, `"Labels": null`, `"OsVersion": "10.0.17763.1"`, `"Size": 0,`,
		`"Interval": 1000000000`,
		"\"RootFS\": {\n            \"Type\": \"layers\"\n        }", `"80/tcp": {}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, `"Created"`) {
		t.Errorf("a creation time that the config does not have:\n%s", got)
	}
}
