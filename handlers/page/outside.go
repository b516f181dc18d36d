package page

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/stowage/stowage/image"
)

// ParseExternalURL reads the address under which people and engines reach the server: http or https, a host, perhaps a
// port, and nothing more. It comes back without a slash at its end. Errors are of kind Invalid.
func ParseExternalURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || !IsHostPort(u.Host) || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || strings.ContainsAny(s, "?#") {
		return "", image.Errorf(image.Invalid, "%.200q is not an address of this server", s).
			Suggest("Give http or https and a host, with its port where that is another than usual: https://shelf.example.com")
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// Origin is this server's address as people reach it: what the operator says, or else what the request says.
func (h *Site) Origin(c echo.Context) string {
	if h.options.ExternalURL != "" {
		return h.options.ExternalURL
	}
	scheme := "http"
	if c.Scheme() == "https" { // a proxy in front can say anything
		scheme = "https"
	}
	return scheme + "://" + c.Request().Host
}

// Outside is origin for what people copy into a shell or a setting: empty where the request's Host is no host. A
// browser does not send such a one.
func (h *Site) Outside(c echo.Context) string {
	if h.options.ExternalURL == "" && !IsHostPort(c.Request().Host) {
		return ""
	}
	return h.Origin(c)
}

// hostName is a DNS name, as far as its letters go, or an IPv4 address.
var hostName = regexp.MustCompile(
	`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)

// IsHostName reports whether s can be the name of a host.
func IsHostName(s string) bool { return len(s) <= 253 && hostName.MatchString(s) }

// IsHostPort reports whether s is a host, perhaps with a port, and nothing that a shell or a file of settings could
// take for more.
func IsHostPort(s string) bool {
	host, port, found := strings.Cut(s, ":")
	if strings.HasPrefix(s, "[") {
		i := strings.LastIndexByte(s, ']')
		if i < 0 {
			return false
		}
		ip, err := netip.ParseAddr(s[1:i])
		if err != nil || ip.Zone() != "" || !ip.Is6() {
			return false
		}
		if port, found = strings.CutPrefix(s[i+1:], ":"); !found && s[i+1:] != "" {
			return false
		}
	} else if !IsHostName(host) {
		return false
	}
	if !found {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && port[0] != '0'
}
