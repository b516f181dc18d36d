package image

import "strings"

// WithoutUserInfo takes out of a text, an address or a path, what stands before the host of an address: it may be a
// name and a password. References have an @ only before a digest, and stay as they are.
func WithoutUserInfo(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	parts := strings.Split(s, "/")
	for i, part := range parts {
		at := strings.LastIndexByte(part, '@')
		if rest := part[at+1:]; at >= 0 && !strings.HasPrefix(rest, "sha256:") && !strings.HasPrefix(rest, "sha512:") {
			parts[i] = "...@" + rest
		}
	}
	return strings.Join(parts, "/")
}

// quoted returns what somebody typed in the place of a reference as messages have it: those are kept and logged, and
// others read them.
func quoted(s string) string {
	user, _, _ := strings.Cut(s, "/")
	if at := strings.LastIndexByte(user, '@'); strings.Contains(s, "://") || at >= 0 && strings.Contains(user[:at], ":") {
		s = WithoutUserInfo(s)
	}
	return Shorten(s)
}
