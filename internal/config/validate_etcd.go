package config

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/loopback"
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
	v.add(validateMemberURL("--etcd-listen-client", c.EtcdListenClient))
	v.add(validateMemberURL("--etcd-listen-peer", c.EtcdListenPeer))
	v.addIf(c.EtcdClusterToken == "", "--etcd-cluster-token is empty; name the cluster that --data-dir belongs to")
	v.addIf(c.EtcdQuotaBytes < minQuotaBytes, "--etcd-quota-bytes %d is too small; use %d (1 MiB) or more", c.EtcdQuotaBytes, minQuotaBytes)
	v.addIf(c.EtcdRetention < minRetention, "--etcd-retention %s is too short; use %s or more", c.EtcdRetention, minRetention)
	return v.join()
}

// validateMemberURL validates a listen URL of an embedded member, which has neither TLS
// nor authentication.
func validateMemberURL(flag, text string) error {
	invalid := func(reason string) error { return fmt.Errorf("%s %q %s", flag, RedactURL(text), reason) }
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" || !isAddressOnly(u):
		return invalid("is not http://HOST:PORT, such as http://127.0.0.1:2379")
	case !loopback.IsHost(u.Hostname()):
		return invalid("can be reached from other machines, and the embedded etcd has neither TLS nor authentication; use 127.0.0.1, [::1] or localhost")
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
		return invalid("requires a port from 0 to 65535")
	}
	return nil
}

// validateEndpoints validates the client URLs of an existing cluster.
func (c Config) validateEndpoints() error {
	var v violations
	schemes := map[string]bool{}
	for _, endpoint := range c.EtcdEndpoints {
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isAddressOnly(u) || !isPort(u.Port()) {
			v.addIf(true, "--etcd-endpoints: %q is not a client URL such as http://10.0.0.1:2379", RedactURL(endpoint))
			continue
		}
		schemes[u.Scheme] = true
	}
	isMixed := schemes["http"] && schemes["https"]
	v.addIf(isMixed, "--etcd-endpoints mix http and https; use one of them")
	v.addIf(!isMixed && schemes["http"] && c.EtcdCACert+c.EtcdCert+c.EtcdKey != "",
		"--etcd-cacert, --etcd-cert and --etcd-key have no effect on --etcd-endpoints with http; use https")
	return v.join()
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
