package ui

import (
	"regexp"
	"strings"
)

var (
	// legacy is what docker's old builder wrote before instructions that ran nothing.
	legacy = regexp.MustCompile(`^(?:/bin/sh -c|cmd /S /C) #\(nop\)\s+`)
	// shellRun is a command that the old builder ran, with its build arguments ("|2 A=1 B=2 /bin/sh -c …").
	shellRun = regexp.MustCompile(`^(?:\|\d+ .*?)?/bin/sh -c (.*)$`)
	// buildContext is a checksum of copied files, written out in full by the old builder.
	buildContext = regexp.MustCompile(`\b(file|dir|multi):([0-9a-f]{12})[0-9a-f]{20,}`)
	// continued is where a line of the Dockerfile was continued: the builder keeps the next line's tabs.
	continued = regexp.MustCompile(` *\t+ *`)
)

// CleanCommand words the created_by of a history entry as the instruction that it came from:
// `/bin/sh -c #(nop)  CMD ["bash"]` is CMD ["bash"], `/bin/sh -c apt-get update` is RUN apt-get update.
// Only white space, builders' wrappers and the ends of checksums are left out.
func CleanCommand(createdBy string) string {
	s := strings.TrimSpace(createdBy)
	s = strings.TrimSuffix(s, " # buildkit")
	if at := legacy.FindStringIndex(s); at != nil {
		return buildContext.ReplaceAllString(s[at[1]:], "$1:$2…")
	}
	if rest, ok := strings.CutPrefix(s, "RUN /bin/sh -c "); ok {
		return "RUN " + rest
	}
	if line, _, _ := strings.Cut(s, "\n"); shellRun.MatchString(line) {
		_, rest, _ := strings.Cut(s, "/bin/sh -c ")
		return "RUN " + rest
	}
	return s
}

// SpreadCommand puts a long command on lines of its own where its Dockerfile probably had them. It changes
// nothing but white space.
func SpreadCommand(s string) string {
	const short = 80
	switch {
	case len(s) <= short || strings.Contains(s, "\n"):
		return s
	case strings.Contains(s, "\t"):
		return continued.ReplaceAllString(s, "\n    ")
	}
	return strings.ReplaceAll(s, " && ", "\n    && ")
}

// plainWord is a word that a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// ShellWords writes words as one would type them for a POSIX shell.
func ShellWords(words []string) string {
	typed := make([]string, len(words))
	for i, w := range words {
		if plainWord.MatchString(w) {
			typed[i] = w
		} else {
			typed[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(typed, " ")
}
