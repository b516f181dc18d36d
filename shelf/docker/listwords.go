package docker

import (
	"slices"
	"strings"
	"unicode"

	"github.com/stowage/stowage/image"
)

// ListWords is what somebody typed to choose rows of the list: docker's words, and the rest.
type ListWords struct {
	Text       string              // the rest
	Unfinished string              // a word of docker's that is still being typed
	Said       map[string][]string // the values of the filters, and of the flags digests and no-trunc
}

// ReadListWords reads what docker's users would type: filters (label=stage=ci), with or without --filter, --digests and
// --no-trunc, and whole commands (docker images -f dangling=true ubuntu). Quotes are the shell's. While somebody types,
// the last word counts only once a space follows it. Errors are of kind Invalid.
func ReadListWords(s string, typing bool) (ListWords, error) {
	w := ListWords{Said: map[string][]string{}}
	words := shellWords(s)
	command := commandWords(words)
	plain := []string{}
	words = words[command:]
	for i := 0; i < len(words); i++ {
		word, from := words[i].text, words[i].from
		expects := word == "-f" || word == "--filter"
		if expects && i+1 < len(words) {
			i++
			word = words[i].text
		}
		name, value, isFilter := strings.Cut(strings.TrimPrefix(word, "--filter="), "=")
		asked := expects || strings.HasPrefix(word, "--filter=")
		isFilter = isFilter && slices.Contains(FilterNames, name)
		if typing && i == len(words)-1 && words[i].to == len(s) && (isFilter || strings.HasPrefix(word, "-")) {
			w.Unfinished = s[from:]
			break
		}
		switch {
		case asked && !isFilter:
			if name != "" {
				return w, suggestFilters(image.Errorf(image.Invalid, "there is no filter %.40q (q)", name))
			}
		case isFilter:
			w.Said[name] = append(w.Said[name], value)
		case word == "--digests" || word == "--no-trunc":
			w.Said[strings.TrimPrefix(word, "--")] = []string{"1"}
		case command > 0 && strings.HasPrefix(word, "-"): // -a and -q change nothing here
		case command > 0:
			w.Said["reference"] = append(w.Said["reference"], word)
		default:
			plain = append(plain, words[i].raw)
		}
	}
	w.Text = strings.Join(plain, " ")
	return w, nil
}

// commandWords counts the words of the command that a text begins with; 0 where it is none.
func commandWords(words []shellWord) int {
	same := func(w shellWord, s string) bool { return w.raw == s }
	for _, command := range [][]string{{"docker", "images"}, {"docker", "image", "ls"}, {"docker", "image", "list"}} {
		if len(words) >= len(command) && slices.EqualFunc(words[:len(command)], command, same) {
			return len(command)
		}
	}
	return 0
}

// shellWord is a word of a command line.
type shellWord struct {
	text     string // without the quotes
	raw      string
	from, to int // bytes
}

// shellWords divides a text at white space that no quotes enclose. Quotes that are not closed end with the text.
func shellWords(s string) (words []shellWord) {
	var text strings.Builder
	quote, from := rune(0), -1
	end := func(to int) {
		if from >= 0 {
			words = append(words, shellWord{text.String(), s[from:to], from, to})
		}
		from = -1
		text.Reset()
	}
	for at, r := range s {
		switch {
		case quote == 0 && unicode.IsSpace(r):
			end(at)
			continue
		case r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote = r
		default:
			text.WriteRune(r)
		}
		if from < 0 {
			from = at
		}
	}
	end(len(s))
	return words
}
