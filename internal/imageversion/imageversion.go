// Package imageversion compares the versions of images.
package imageversion

import (
	"fmt"
	"strings"

	"golang.org/x/mod/semver"
)

// CheckCompatible returns an error unless the images differ at most in the patch version of a semantic version: a patch
// of a game to another image needs force then. The text names both images.
func CheckCompatible(from, to string) error {
	oldName, oldVersion := splitImage(withoutDefaultRegistry(from))
	newName, newVersion := splitImage(withoutDefaultRegistry(to))
	switch {
	case oldName != newName:
		return fmt.Errorf("%s is another image than %s", to, from)
	case !semver.IsValid(oldVersion) || !semver.IsValid(newVersion):
		return fmt.Errorf("%s and %s cannot be compared: both need a version such as :1.2.3", from, to)
	case semver.MajorMinor(oldVersion) != semver.MajorMinor(newVersion):
		return fmt.Errorf("%s is another major or minor version than %s", to, from)
	}
	return nil
}

// withoutDefaultRegistry removes what Docker adds to a short name: docker.io/library/x:1 is
// x:1.
func withoutDefaultRegistry(image string) string {
	for _, prefix := range []string{"docker.io/", "index.docker.io/"} {
		if name, hasPrefix := strings.CutPrefix(image, prefix); hasPrefix {
			return strings.TrimPrefix(name, "library/")
		}
	}
	return image
}

// splitImage splits an image reference into its name and its version in semver form,
// v1.2.3.
func splitImage(image string) (name, version string) {
	name, _, _ = strings.Cut(image, "@")
	at := strings.LastIndexByte(name, ':')
	if at < 0 || strings.Contains(name[at:], "/") { // the colon of a registry's port
		return name, ""
	}
	return name[:at], "v" + strings.TrimPrefix(name[at+1:], "v")
}
