package fake

import (
	"hash/fnv"
	"strings"
	"time"

	"github.com/stowage/stowage/sample"
)

// What the stand-ins for search services find. The organisations are made up; each of their repositories is served by
// a sample's images, see [Large.AddRepositories].

// HubFound is what Docker Hub's stand-in finds: the samples that are official images, and some two hundred and fifty
// repositories of made-up organisations.
func HubFound() []Found {
	return append([]Found{
		{Repository: "library/ubuntu", Official: true, Stars: 17_412, Pulls: 3_981_204_551,
			Description: "A general-purpose Linux for servers and desktops, released twice a year.",
			Updated:     sample.Date("2026-11-18T06:19:44Z")},
		{Repository: "library/debian", Official: true, Stars: 5_233, Pulls: 1_204_887_120,
			Description: "A Linux distribution made of free software only, and what many others are built on.",
			Updated:     sample.Date("2026-11-04T21:10:00Z")},
		{Repository: "library/alpine", Official: true, Stars: 11_507, Pulls: 11_020_377_902,
			Description: "A minimal Linux of some five megabytes, with musl and BusyBox.",
			Updated:     sample.Date("2026-10-15T18:02:31Z")},
		{Repository: "library/nginx", Official: true, Stars: 20_911, Pulls: 12_733_604_418,
			Description: "A web server, reverse proxy and load balancer.", Updated: sample.Date("2026-10-22T19:30:12Z")},
		{Repository: "library/postgres", Official: true, Stars: 14_760, Pulls: 10_402_115_007,
			Description: "A relational database with transactions, extensions and a long memory.",
			Updated:     sample.Date("2026-11-14T00:52:08Z")},
		{Repository: "library/redis", Official: true, Stars: 13_489, Pulls: 9_877_340_265,
			Description: "A data store in memory: cache, queue, and more.", Updated: sample.Date("2026-10-02T22:40:51Z")},
		{Repository: "test/amd64-only", Stars: 1, Pulls: 318, Description: "One manifest without an index, for amd64."},
		{Repository: "test/arm64-only", Stars: 1, Pulls: 204, Description: "One manifest without an index, for arm64."},
		{Repository: "test/nested-index", Pulls: 97, Description: "An index that lists another index."},
		{Repository: "acme/hostile", Pulls: 12, Description: `<script>alert("search")</script> ` +
			"\u202etxt.exe\u202c and a description that goes on. " + strings.Repeat("A word and another one. ", 20)},
		{Repository: "acme/windows-agent", Stars: 14, Pulls: 48_120,
			Description: "The build agent for Windows Server 2019 and 2022."},
	}, madeUp(organisations, products)...)
}

// QuayFound is what Quay's stand-in finds.
func QuayFound() []Found {
	return append([]Found{
		{Repository: "prometheus/node-exporter", Stars: 1_204, Pulls: 418_118_334,
			Description: "Exporter for machine metrics: CPU, memory, disks, network.",
			Updated:     sample.Date("2026-07-14T09:12:51Z")},
	}, madeUp(strings.Fields("glasshouse ninefold rookery thistledown"), products)...)
}

// HarborFound is what Harbor's stand-in finds; Harbor describes nothing.
func HarborFound() []Found {
	return append([]Found{
		{Repository: "acme/api", Pulls: 5_204}, {Repository: "acme/windows-agent", Pulls: 318},
	}, madeUp(strings.Fields("payments checkout"), products)...)
}

var organisations = strings.Fields(
	"bluekettle brightforge copperleaf fernhill glasshouse halcyonlabs ironwillow lumenstack marrowstone ninefold oakline papercrane " +
		"quietriver redgranite rookery saltmarsh stillwaterops thistledown tidewater umberworks vellumsoft wayfarerio yarrowtech zephyrcraft")

// product is what many organisations have a repository of.
type product struct{ name, like, description string }

var products = []product{
	{"nginx", "library/nginx", "nginx as we run it: hardened defaults, no root, JSON logs."},
	{"nginx-unprivileged", "library/nginx", "nginx that listens on 8080 and needs no root."},
	{"postgres-backup", "library/postgres", "Scheduled dumps of PostgreSQL to object storage, with restore scripts."},
	{"postgres", "library/postgres", "PostgreSQL with the extensions that our services need."},
	{"redis-cluster", "library/redis", "Redis with cluster set-up scripts and a health check."},
	{"redis", "library/redis", "Redis with TLS switched on and dangerous commands switched off."},
	{"ubuntu-ci", "library/ubuntu", "Ubuntu with the compilers and tools of our build machines."},
	{"ubuntu-desktop", "library/ubuntu", "Ubuntu with a desktop in the browser."},
	{"debian-build", "library/debian", "Debian with build-essential and packaging tools."},
	{"debian-slim", "library/debian", "Debian without documentation and locales."},
	{"alpine-tools", "library/alpine", "curl, jq, openssl and friends on Alpine."},
	{"alpine-git", "library/alpine", "git and ssh on Alpine, for pipelines."},
	{"node-exporter", "prometheus/node-exporter", "Prometheus exporter for machine metrics, rebuilt every week."},
	{"nginx-proxy", "library/nginx", "A reverse proxy that finds its containers by their labels."},
	{"reports-api", "acme/api", "HTTP service that renders reports. Needs postgres and redis."},
	{"nginx-exporter", "prometheus/node-exporter", "Metrics of nginx for Prometheus."},
	{"postgres-exporter", "prometheus/node-exporter", "Metrics of PostgreSQL for Prometheus."},
	{"static-site", "library/nginx", "A template for static sites on nginx, with compression and caching headers."},
	{"redis-exporter", "prometheus/node-exporter", "Metrics of Redis for Prometheus."},
	{"billing-api", "acme/api", "HTTP service for invoices and payments, with its migrations."},
	{"ubuntu-vnc", "library/ubuntu", "Ubuntu with a VNC server, for tests of user interfaces."},
}

// remarks are what an organisation adds to a description.
var remarks = []string{
	"", " Rebuilt every night.", " For amd64 and arm64.", " Signed, with a bill of materials.",
	" Part of our Helm charts.", " Maintained by the platform team.",
	" Deprecated: see the README.",
}

// madeUp returns every organisation half of the products. Stars and pulls follow from the names: a few are popular,
// most are not.
func madeUp(organisations []string, products []product) []Found {
	var all []Found
	for i, o := range organisations {
		verified := o == "brightforge" || o == "quietriver" || o == "yarrowtech"
		for j, p := range products {
			if (i+j)%2 != 0 {
				continue
			}
			name := o + "/" + p.name
			h := fnv.New32a()
			_, _ = h.Write([]byte(name)) // a hash takes everything
			n := int64(h.Sum32() % 1000)
			stars := n * n * n / 2_000_000
			all = append(all, Found{
				Repository: name, Verified: verified, Description: p.description + remarks[int(n)%len(remarks)], Stars: stars,
				Pulls:   40 + n + stars*stars*377 + n*n*n/50,
				Updated: sample.Date("2026-11-20T05:00:00Z").Add(-time.Duration(n) * 9 * time.Hour), Like: p.like,
			})
		}
	}
	return all
}
