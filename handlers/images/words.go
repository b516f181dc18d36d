package images

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// typedWords is what somebody typed into the filter's box: docker's words, and the rest.
type typedWords struct {
	text  string     // the rest
	typed string     // a word of docker's that is not finished
	said  url.Values // the filters and flags
	wrong string     // what was given as a filter and is none
}

// wordFilters are the filters that can be typed, as docker's --filter takes them.
var wordFilters = []string{"reference", "dangling", "label", "before", "since", "until", "registry", "platform", "update", "pinned"}

// readWords reads what docker's users would type: filters (label=stage=ci), with or without --filter, --digests and --no-trunc, and
// whole commands (docker images -f dangling=true ubuntu). Quotes are the shell's. While somebody types, the last word counts
// only once a space follows it.
func readWords(s string, typing bool) typedWords {
	w := typedWords{said: url.Values{}}
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
		isFilter = isFilter && slices.Contains(wordFilters, name)
		if typing && i == len(words)-1 && words[i].to == len(s) && (isFilter || strings.HasPrefix(word, "-")) {
			w.typed = s[from:]
			break
		}
		switch {
		case asked && !isFilter:
			w.wrong = name
		case isFilter:
			w.said.Add(name, value)
		case word == "--digests" || word == "--no-trunc":
			w.said.Set(strings.TrimPrefix(word, "--"), "1")
		case command > 0 && strings.HasPrefix(word, "-"): // -a and -q change nothing here
		case command > 0:
			w.said.Add("reference", word)
		default:
			plain = append(plain, words[i].raw)
		}
	}
	w.text = strings.Join(plain, " ")
	return w
}

// commandWords counts the words of the command that a text begins with; 0 where it is none.
func commandWords(words []shellWord) int {
	for _, command := range [][]string{{"docker", "images"}, {"docker", "image", "ls"}, {"docker", "image", "list"}} {
		if len(words) >= len(command) && slices.EqualFunc(words[:len(command)], command, func(w shellWord, s string) bool { return w.raw == s }) {
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
