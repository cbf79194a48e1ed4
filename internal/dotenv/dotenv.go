// Package dotenv parses files of environment variables, in the format of the option --env-file
// of Docker: one NAME=VALUE per line. Everything after the first equals sign is the value;
// quotes, blanks and # are part of it. Empty lines and lines that start with # are ignored.
package dotenv

import (
	"bytes"
	"errors"
	"fmt"
)

// Parse returns the variables of a file. A name may have letters, digits and underscores, and no
// digit first. Lines may end in CRLF. An error names the line and never contains its value.
func Parse(text []byte) (map[string]string, error) {
	variables := map[string]string{}
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\ufeff"))) {
		number++
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		start := bytes.TrimLeft(line, " \t")
		if len(start) == 0 || start[0] == '#' {
			continue
		}
		name, value, err := parseLine(start)
		if err == nil && hasName(variables, name) {
			err = fmt.Errorf("sets %s a second time", name)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d %w", number, err)
		}
		variables[name] = value
	}
	return variables, nil
}

// parseLine splits a line into name and value.
func parseLine(line []byte) (name, value string, err error) {
	before, after, isAssignment := bytes.Cut(line, []byte("="))
	switch {
	case !isAssignment: // the line may be a part of a value
		return "", "", errors.New("is not NAME=VALUE")
	case !isName(before):
		return "", "", errors.New("has no valid name before the equals sign; use letters, digits and _, no blank, and no digit first")
	case bytes.IndexByte(after, 0) >= 0:
		return "", "", fmt.Errorf("has a NUL byte in the value of %s", before)
	}
	return string(before), string(after), nil
}

func isName(text []byte) bool {
	for i, c := range text {
		isLetter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
		if !isLetter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return len(text) > 0
}

func hasName(variables map[string]string, name string) bool {
	_, found := variables[name]
	return found
}
