package securitycheck

import (
	"crypto/x509"
	"time"

	"galaxy/rtmanager/internal/tlsfiles"
)

// minRemaining is how long a certificate should still be valid.
const minRemaining = 30 * 24 * time.Hour

// checkKeyPair checks a certificate and its key. It returns nil if they cannot be used.
func (c *checker) checkKeyPair(setting, certFile, keyFile string) *x509.Certificate {
	pair, err := tlsfiles.OpenKeyPair(certFile, keyFile, nil)
	if err != nil {
		c.add(setting, "%v", err)
		return nil
	}
	c.checkValidity(setting, pair.State())
	return pair.Current().Leaf
}

// checkPool checks a file of authorities.
func (c *checker) checkPool(setting, file string) {
	pool, err := tlsfiles.OpenPool(file, nil)
	if err != nil {
		c.add(setting, "%v", err)
		return
	}
	c.checkValidity(setting, pool.State())
}

// checkValidity finds certificates that are not valid now, or not for long.
func (c *checker) checkValidity(setting string, state tlsfiles.State) {
	now := c.env.Now()
	day := state.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case now.Before(state.NotBefore):
		c.add(setting, "%s is not valid before %s; check the clock of this machine", state.File, state.NotBefore.UTC().Format(time.RFC3339))
	case now.After(state.NotAfter):
		c.add(setting, "%s expired on %s; renew it", state.File, day)
	default:
		c.addIf(state.NotAfter.Sub(now) < minRemaining, setting, "%s expires on %s, in %d days; renew it", state.File, day, int(state.NotAfter.Sub(now).Hours()/24))
	}
}
