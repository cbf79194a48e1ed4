package secret

import (
	"fmt"
	"net/url"
	"strings"
)

// Version identifies the write of a secret that a container was created with.
type Version struct{ Name, Fingerprint string }

// EncodeVersions encodes versions as the text of a label: NAME@FINGERPRINT, separated by
// commas, with escaped names. It is empty for no versions.
func EncodeVersions(versions []Version) string {
	parts := make([]string, len(versions))
	for i, v := range versions {
		parts[i] = url.QueryEscape(v.Name) + "@" + v.Fingerprint
	}
	return strings.Join(parts, ",")
}

// ParseVersions is the inverse of EncodeVersions.
func ParseVersions(text string) ([]Version, error) {
	if text == "" {
		return nil, nil
	}
	var versions []Version
	for part := range strings.SplitSeq(text, ",") {
		escaped, fingerprint, isVersion := strings.Cut(part, "@")
		name, err := url.QueryUnescape(escaped)
		if err != nil || !isVersion || name == "" || fingerprint == "" {
			return nil, fmt.Errorf("%.64q is not the version of a secret", part)
		}
		versions = append(versions, Version{Name: name, Fingerprint: fingerprint})
	}
	return versions, nil
}

// Environment is the result of resolving references: the variables, and the versions they
// are from, in the order of the references.
type Environment struct {
	Values   Values
	Versions []Version
}
