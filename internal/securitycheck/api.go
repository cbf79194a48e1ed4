package securitycheck

import (
	"net"
	"net/url"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/loopback"
)

// checkExposure finds an API that other machines reach without TLS or authentication.
func (c *checker) checkExposure() {
	host, _, err := net.SplitHostPort(c.cfg.Listen)
	if err == nil && loopback.IsHost(host) {
		return
	}
	c.addIf(!c.cfg.HasTLS(), "--insecure", "other machines can reach %s without TLS, and can read and change what is sent; set --tls-cert and --tls-key", c.cfg.Listen)
	c.addIf(!c.cfg.AuthEnabled(), "--insecure", "other machines can reach %s and change every game without authentication; set --auth on", c.cfg.Listen)
}

// checkFederation finds other stores whose daemons are called without TLS.
func (c *checker) checkFederation() {
	stores, err := c.cfg.FederatedStores()
	if err != nil {
		return // the settings are invalid
	}
	for _, store := range stores {
		for _, address := range store.URLs {
			u, err := url.Parse(address)
			c.addIf(err == nil && u.Scheme == "http" && !loopback.IsHost(u.Hostname()), "--federate",
				"%s of store %s has no TLS, and other machines can read and change what is sent; use https", address, store.Name)
		}
	}
}

// checkAuth finds an API that every program on this machine may use.
func (c *checker) checkAuth() {
	c.addIf(!c.cfg.AuthEnabled(), "--auth", "every user and every game of this machine can use the API; set --tls-cert and --tls-key, or --auth on")
}

// checkCertificates checks the files of the API.
func (c *checker) checkCertificates() {
	if c.cfg.TLSClientCA != "" {
		c.checkPool("--tls-client-ca", c.cfg.TLSClientCA)
	}
	if !c.cfg.HasTLS() {
		return
	}
	leaf := c.checkKeyPair("--tls-cert", c.cfg.TLSCert, c.cfg.TLSKey)
	if leaf == nil || !c.cfg.AuthEnabled() || c.cfg.Engine == config.EngineNone {
		return
	}
	self := node.Ref{Region: c.cfg.Region, Name: c.cfg.Node}
	identity, err := access.FromCertificate(leaf)
	ref, isNode := identity.Node()
	c.addIf(err != nil || !isNode || ref != self, "--tls-cert",
		"the certificate is not that of node %s, so other nodes do not forward requests to it; issue one with rtmanager cert issue --node", self)
	c.addIf(c.cfg.TLSClientCA == "", "--tls-client-ca", "client certificates and other daemons cannot be verified; set the CA that issued them")
}

// checkLimits finds bounds of callers that were removed.
func (c *checker) checkLimits() {
	for _, limit := range []struct {
		setting string
		value   int64
	}{
		{"--limit-rate", c.cfg.LimitRate}, {"--limit-write-rate", c.cfg.LimitWriteRate}, {"--limit-concurrency", c.cfg.LimitConcurrency},
		{"--limit-streams", c.cfg.LimitStreams}, {"--limit-connections", c.cfg.LimitConnections},
	} {
		c.addIf(limit.value < 0 && c.cfg.AuthEnabled(), limit.setting, "one caller, or a leaked token, can keep others out; omit it for the default")
	}
}
