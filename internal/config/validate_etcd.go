package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The minimum settings of an embedded etcd. A smaller database would be full, and
// therefore read-only, from the start.
const (
	minQuotaBytes = 1 << 20
	minRetention  = time.Second
)

// validateEmbedded validates the settings that only an embedded member uses.
func (c Config) validateEmbedded() error {
	var v violations
	v.addIf(c.DataDir == "", "--data-dir is empty; set the directory of the embedded etcd's data")
	v.addIf(c.EtcdCACert+c.EtcdCert+c.EtcdKey+c.EtcdUser+c.EtcdPasswordFile != "",
		"--etcd-cacert, --etcd-cert, --etcd-key, --etcd-user and --etcd-password-file require --etcd-endpoints")
	v.add(c.effectiveListen().validateEtcdListen(c.Insecure))
	v.add(c.validateCluster())
	v.addIf(c.EtcdClusterToken == "", "--etcd-cluster-token is empty; name the cluster that --data-dir belongs to")
	v.addIf(c.DiskReserve < 0, "--disk-reserve %d must not be negative", c.DiskReserve)
	v.addIf(c.EtcdQuotaBytes < minQuotaBytes, "--etcd-quota-bytes %d is too small; use %d (1 MiB) or more", c.EtcdQuotaBytes, minQuotaBytes)
	v.addIf(c.EtcdRetention < minRetention, "--etcd-retention %s is too short; use %s or more", c.EtcdRetention, minRetention)
	return v.join()
}

// validateEndpoints validates the client URLs of an existing cluster.
func (c Config) validateEndpoints() error {
	var v violations
	schemes := map[string]bool{}
	for _, endpoint := range c.EtcdEndpoints {
		u, err := url.Parse(endpoint)
		isSocket := err == nil && isSocketURL(u)
		isAddress := err == nil && (u.Scheme == "http" || u.Scheme == "https") && isAddressOnly(u) && isPort(u.Port())
		if !isSocket && !isAddress {
			v.addIf(true, "--etcd-endpoints: %q is not a client URL such as http://10.0.0.1:2379", RedactURL(endpoint))
			continue
		}
		schemes[u.Scheme] = true
	}
	isMixed := len(schemes) > 1
	v.addIf(isMixed, "--etcd-endpoints mix http, https and unix; use one of them")
	v.addIf(!isMixed && !schemes["https"] && c.EtcdCACert+c.EtcdCert+c.EtcdKey != "",
		"--etcd-cacert, --etcd-cert and --etcd-key have no effect on --etcd-endpoints without https; use https")
	return v.join()
}

// keyFamilies returns the first segments of the keys below a prefix.
func keyFamilies() []string {
	return []string{"runtimes", "runtimes-by-status", "transitions", "meta", "operations", "operations-by-node", "operations-by-id", "nodes", "known-nodes", "leaders", "reservations", "node-settings", "rollouts", "rollout-games", "access", "access-uses", "secrets"}
}

// validatePrefix rejects a prefix that another spelling of it would not share, and one whose
// keys would be inside a family of keys of another store.
func validatePrefix(prefix string) error {
	invalid := func(reason string) error { return fmt.Errorf("--etcd-prefix %q %s", prefix, reason) }
	if strings.ContainsFunc(prefix, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return invalid("contains a control character")
	}
	path := strings.TrimRight(prefix, "/")
	switch {
	case path == "":
		return nil
	case !strings.HasPrefix(path, "/"):
		return invalid(fmt.Sprintf("does not start with a slash, and would be another store than /%s; use /%s", path, path))
	case strings.Contains(path, "//"):
		return invalid("contains an empty segment; use one slash between segments")
	}
	for parent, rest, more := "", path[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if slices.Contains(keyFamilies(), segment) {
			return invalid(fmt.Sprintf("is inside the keys %s/%s/ of the store with the prefix %q; choose a prefix without the segment %q", parent, segment, parent, segment))
		}
		parent += "/" + segment
	}
	return nil
}

// isAddressOnly reports whether the URL has a host, and neither user, path nor query.
func isAddressOnly(u *url.URL) bool {
	return u.Hostname() != "" && u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery+u.Fragment == ""
}

// isPort reports whether the text is a port that can be dialed.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

// RedactURL removes user and password from a URL for a message. The text may be a
// malformed URL. Text without an @ is returned unchanged.
func RedactURL(text string) string {
	at := strings.LastIndex(text, "@")
	if at < 0 {
		return text
	}
	scheme, _, found := strings.Cut(text[:at], "://")
	if !found {
		return "…" + text[at:]
	}
	return scheme + "://…" + text[at:]
}
