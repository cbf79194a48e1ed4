package securitycheck

import (
	"net/url"

	"galaxy/rtmanager/internal/loopback"
	"galaxy/rtmanager/internal/tlsfiles"
)

// checkMember finds an embedded etcd that bypasses the API.
func (c *checker) checkMember() {
	for _, listener := range []struct{ setting, url, certSetting, cert, key, caSetting, ca string }{
		{"--etcd-listen-client", c.cfg.EtcdClientURL(), "--etcd-listen-cert", c.cfg.EtcdListenCert, c.cfg.EtcdListenKey, "--etcd-listen-client-ca", c.cfg.EtcdListenClientCA},
		{"--etcd-listen-peer", c.cfg.EtcdPeerURL(), "--etcd-peer-cert", c.cfg.EtcdPeerCert, c.cfg.EtcdPeerKey, "--etcd-peer-ca", c.cfg.EtcdPeerCA},
	} {
		u, err := url.Parse(listener.url)
		if err != nil || u.Scheme == "unix" {
			continue
		}
		c.addIf(listener.ca == "" && c.cfg.AuthEnabled(), listener.setting,
			"every program that reaches %s can change all records without authentication; omit it, or use https with the CA of clients", listener.url)
		if listener.cert != "" {
			c.checkKeyPair(listener.certSetting, listener.cert, listener.key)
		}
		if listener.ca != "" {
			c.checkPool(listener.caSetting, listener.ca)
			c.addIf(sharesAuthority(c.cfg.TLSClientCA, listener.ca), listener.setting,
				"%s has an authority of --tls-client-ca, so the client certificate of every user of the API opens etcd with all rights; use an authority for etcd alone, as rtmanager cert does", listener.ca)
		}
	}
}

// sharesAuthority reports whether both files have the same authority. Files that cannot be used are
// another weakness.
func sharesAuthority(first, second string) bool {
	if first == "" || second == "" {
		return false
	}
	one, err := tlsfiles.OpenPool(first, nil)
	if err != nil {
		return false
	}
	other, err := tlsfiles.OpenPool(second, nil)
	return err == nil && one.Shares(other)
}

// checkEndpoints checks the connection to an external etcd.
func (c *checker) checkEndpoints() {
	for _, endpoint := range c.cfg.EtcdEndpoints {
		u, err := url.Parse(endpoint)
		c.addIf(err == nil && u.Scheme == "http" && !loopback.IsHost(u.Hostname()), "--etcd-endpoints",
			"%s has no TLS: records and credentials are sent to it in the clear, and another program can take its place; use https", endpoint)
	}
	c.addIf(c.cfg.EtcdUser == "", "--etcd-user",
		"this daemon uses etcd without a user, so etcd does not limit it to --etcd-prefix, and may accept others as well; create a user with rtmanager etcd bootstrap")
	c.addIf(c.cfg.EtcdUser == "root", "--etcd-user", "root may change everything in etcd; create a user with rtmanager etcd bootstrap")
	c.checkSecretFile("--etcd-password-file", c.cfg.EtcdPasswordFile)
	if c.cfg.EtcdCACert != "" {
		c.checkPool("--etcd-cacert", c.cfg.EtcdCACert)
	}
	if c.cfg.EtcdCert != "" {
		c.checkKeyPair("--etcd-cert", c.cfg.EtcdCert, c.cfg.EtcdKey)
	}
}
