package config

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/loopback"
)

// The least that an embedded etcd can work with: a smaller database is full
// before it has begun, and stays so.
const (
	minQuotaBytes = 1 << 20
	minRetention  = time.Second
)

// validateEmbedded looks at what only an embedded member uses.
func (c Config) validateEmbedded() error {
	var faults []error
	if c.DataDir == "" {
		faults = append(faults, errors.New("--data-dir is empty; name a directory for the embedded etcd's data"))
	}
	if c.EtcdCACert+c.EtcdCert+c.EtcdKey+c.EtcdUser+c.EtcdPasswordFile != "" {
		faults = append(faults, errors.New(
			"--etcd-cacert, --etcd-cert, --etcd-key, --etcd-user and --etcd-password-file are for --etcd-endpoints, which are not given"))
	}
	faults = append(faults,
		validateMemberURL("--etcd-listen-client", c.EtcdListenClient),
		validateMemberURL("--etcd-listen-peer", c.EtcdListenPeer))
	if c.EtcdClusterToken == "" {
		faults = append(faults, errors.New("--etcd-cluster-token is empty; name the cluster that --data-dir belongs to"))
	}
	if c.EtcdQuotaBytes < minQuotaBytes {
		faults = append(faults, fmt.Errorf("--etcd-quota-bytes %d is too small; use %d (1 MiB) or more", c.EtcdQuotaBytes, minQuotaBytes))
	}
	if c.EtcdRetention < minRetention {
		faults = append(faults, fmt.Errorf("--etcd-retention %s is too short; use %s or more", c.EtcdRetention, minRetention))
	}
	return errors.Join(faults...)
}

// validateMemberURL wants what an embedded member can listen on: it has neither
// TLS nor authentication.
func validateMemberURL(flag, text string) error {
	refuse := func(why string) error { return fmt.Errorf("%s %q %s", flag, RedactURL(text), why) }
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" || !isAddressOnly(u):
		return refuse("is not http://HOST:PORT, such as http://127.0.0.1:2379")
	case !loopback.IsHost(u.Hostname()):
		return refuse("can be reached from other machines, and the embedded etcd has neither TLS nor authentication; use 127.0.0.1, [::1] or localhost")
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
		return refuse("needs a port from 0 to 65535")
	}
	return nil
}

// validateEndpoints looks at the client URLs of a cluster that exists.
func (c Config) validateEndpoints() error {
	var faults []error
	schemes := map[string]bool{}
	for _, endpoint := range c.EtcdEndpoints {
		u, err := url.Parse(endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isAddressOnly(u) || !isPort(u.Port()) {
			faults = append(faults, fmt.Errorf("--etcd-endpoints: %q is not a client URL such as http://10.0.0.1:2379", RedactURL(endpoint)))
			continue
		}
		schemes[u.Scheme] = true
	}
	switch {
	case schemes["http"] && schemes["https"]:
		faults = append(faults, errors.New("--etcd-endpoints mix http and https; one cluster is reached by one of them"))
	case schemes["http"] && c.EtcdCACert+c.EtcdCert+c.EtcdKey != "":
		faults = append(faults, errors.New("--etcd-cacert, --etcd-cert and --etcd-key are of no use to --etcd-endpoints with http; use https"))
	}
	return errors.Join(faults...)
}

// isAddressOnly reports that the URL names a host and nothing on it.
func isAddressOnly(u *url.URL) bool {
	return u.Hostname() != "" && u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery+u.Fragment == ""
}

// isPort wants a port that can be dialled.
func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

// RedactURL keeps a password that was put into a URL out of a message about it.
// It does so in text that is no URL at all too, since that may be what the
// message is about. Text without an @ is returned as it is.
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
