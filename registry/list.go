package registry

// TLSMode says how far a registry's TLS is trusted.
type TLSMode string

// The modes. The zero value verifies certificates, and speaks plain HTTP to loopback hosts that have no TLS,
// as docker does.
const (
	TLSVerify TLSMode = "verify"
	TLSSkip   TLSMode = "skip" // any certificate will do; plain HTTP where there is no TLS
	TLSOff    TLSMode = "off"  // plain HTTP
)

// Listed is a registry of the short list that the operator keeps. It is searched, and may be at a private
// address also where the server listens beyond loopback.
type Listed struct {
	Host        string     // as in references: "docker.io", "harbor.example.com:8443"
	Label       string     // for people: "Docker Hub"; empty means Host
	Address     string     // host[:port] that is spoken to instead of Host; empty means Host
	TLS         TLSMode    // of Address
	CAFile      string     // PEM file of an authority that is trusted for this registry alone
	Credentials string     // key in docker's config.json; empty means Host's own
	Hosts       []string   // other hosts that it may lead to at private addresses: its token server, its blob store
	Search      SearchKind // empty: found out by asking
	SearchURL   string     // where its search service answers, such as https://hub.docker.com; empty: the usual place
	MirrorOf    string     // host whose references are fetched from this registry instead; such an entry is not searched by itself
}

// Name gives the label, or else the host.
func (l Listed) Name() string {
	if l.Label != "" {
		return l.Label
	}
	return l.Host
}

// Listed gives the list: Docker Hub first unless the operator put it elsewhere.
func (c *Client) Listed() []Listed { return nil }

// Find gives the list's entry of a host.
func (c *Client) Find(host string) (Listed, bool) { return Listed{}, false }
