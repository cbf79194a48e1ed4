package pki

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
)

// maxNameBytes is the length of a common name and of an organization in X.509.
const maxNameBytes = 64

// maxHosts bounds the names and addresses of a certificate.
const maxHosts = 64

// plainName matches names of users, groups, regions and nodes. They are also names of files,
// and parts of identities that contain other punctuation.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]*$`)

// hostName matches the names of hosts, in lower case.
var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// validateName returns an error unless the text may be the name of a user or of a node.
func validateName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s is empty", what)
	case len(name) > maxNameBytes:
		return fmt.Errorf("%s has %d bytes; at most %d are allowed", what, len(name), maxNameBytes)
	case !plainName.MatchString(name):
		return fmt.Errorf("%s %q has other characters than letters, digits and . _ @ -, or does not start with a letter or digit", what, name)
	}
	return nil
}

// validateNode returns an error unless the node can be named in a certificate.
func validateNode(ref node.Ref) error {
	if err := errors.Join(validateName("region", ref.Region), validateName("node", ref.Name)); err != nil {
		return err
	}
	if name := ref.String(); len(name) > maxNameBytes {
		return fmt.Errorf("node %s has %d bytes; a certificate has space for %d", name, len(name), maxNameBytes)
	}
	return nil
}

// validateGroups returns an error unless a user may be in the groups. The organization of
// daemons is no group: its certificates have names of nodes.
func validateGroups(groups []string) error {
	for i, group := range groups {
		if group != access.AdminsOrganization {
			if err := validateName("group", group); err != nil {
				return err
			}
		}
		if slices.Contains(groups[:i], group) {
			return fmt.Errorf("group %s is named twice", group)
		}
	}
	return nil
}

// hosts are the names and addresses that a certificate is valid for.
type hosts struct {
	names     []string
	addresses []net.IP
}

// parseHosts returns the hosts of texts, each a name or an IP address.
func parseHosts(texts []string) (hosts, error) {
	var parsed hosts
	if len(texts) > maxHosts {
		return hosts{}, fmt.Errorf("%d hosts are named; at most %d are allowed", len(texts), maxHosts)
	}
	for i, text := range texts {
		if slices.Contains(texts[:i], text) {
			continue
		}
		addr, err := netip.ParseAddr(text)
		switch {
		case err == nil && (addr.IsUnspecified() || addr.Zone() != "" || addr.IsMulticast()):
			return hosts{}, fmt.Errorf("host %s is not an address of one machine", text)
		case err == nil:
			parsed.addresses = append(parsed.addresses, net.IP(addr.Unmap().AsSlice()))
		case len(text) <= 253 && hostName.MatchString(strings.ToLower(text)):
			parsed.names = append(parsed.names, strings.ToLower(text))
		default:
			return hosts{}, fmt.Errorf("host %q is neither an IP address nor the name of a host, without a port and without a wildcard", text)
		}
	}
	return parsed, nil
}
