package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/tlsfiles"
)

// openEtcdTLS opens the files for the connection to an external etcd. The error names the
// flag.
func openEtcdTLS(cfg config.Config, logger *slog.Logger) (tlsfiles.Client, error) {
	files := tlsFileSet{cert: cfg.EtcdCert, key: cfg.EtcdKey, ca: cfg.EtcdCACert, certFlags: "--etcd-cert, --etcd-key", caFlag: "--etcd-cacert"}
	return files.open(logger.With("component", "etcd"))
}

// openMemberTLS opens the files of the listeners of the embedded etcd, to check them: etcd reads
// them itself.
func openMemberTLS(cfg config.Config, logger *slog.Logger) (clients, peers tlsfiles.Client, err error) {
	logger = logger.With("component", "etcd")
	files := tlsFileSet{cert: cfg.EtcdListenCert, key: cfg.EtcdListenKey, ca: cfg.EtcdListenClientCA, certFlags: "--etcd-listen-cert, --etcd-listen-key", caFlag: "--etcd-listen-client-ca"}
	if clients, err = files.open(logger); err != nil {
		return clients, peers, err
	}
	files = tlsFileSet{cert: cfg.EtcdPeerCert, key: cfg.EtcdPeerKey, ca: cfg.EtcdPeerCA, certFlags: "--etcd-peer-cert, --etcd-peer-key", caFlag: "--etcd-peer-ca"}
	peers, err = files.open(logger)
	return clients, peers, err
}

// openAPITLS opens the files of the API. Both results are nil without TLS.
func openAPITLS(cfg config.Config, logger *slog.Logger) (tlsfiles.Client, error) {
	files := tlsFileSet{cert: cfg.TLSCert, key: cfg.TLSKey, ca: cfg.TLSClientCA, certFlags: "--tls-cert, --tls-key", caFlag: "--tls-client-ca"}
	return files.open(logger.With("component", "api"))
}

// tlsFileSet are files of settings, empty for none, and the flags of the settings.
type tlsFileSet struct{ cert, key, ca, certFlags, caFlag string }

// open opens the files that are set.
func (f tlsFileSet) open(logger *slog.Logger) (opened tlsfiles.Client, err error) {
	if f.ca != "" {
		if opened.Roots, err = tlsfiles.OpenPool(f.ca, logger); err != nil {
			return tlsfiles.Client{}, fmt.Errorf("%s: %w", f.caFlag, err)
		}
	}
	if f.cert != "" {
		if opened.Cert, err = tlsfiles.OpenKeyPair(f.cert, f.key, logger); err != nil {
			return tlsfiles.Client{}, fmt.Errorf("%s: %w", f.certFlags, err)
		}
	}
	return opened, nil
}

// apiScheme returns the scheme of the API's URL.
func apiScheme(cfg config.Config) string {
	if cfg.HasTLS() {
		return "https://"
	}
	return "http://"
}

// isCertificateOf reports whether the certificate is that of the node.
func isCertificateOf(cert *x509.Certificate, self node.Ref) bool {
	identity, err := access.FromCertificate(cert)
	if err != nil {
		return false
	}
	ref, isNode := identity.Node()
	return isNode && ref == self
}

// serverTLS returns the TLS settings of the API and a function that reports whether a host
// name is one of its certificate. Both are nil for http.
func serverTLS(files tlsfiles.Client) (cfg *tls.Config, isServedHost func(string) bool) {
	if files.Cert == nil {
		return nil, nil
	}
	isServedHost = func(host string) bool { return files.Cert.Current().Leaf.VerifyHostname(host) == nil }
	return tlsfiles.ServerConfig(files.Cert, files.Roots), isServedHost
}

// clientAuthority returns the function that reports whether an authority of client certificates is
// still accepted, nil without one.
func clientAuthority(files tlsfiles.Client) func(*x509.Certificate) bool {
	if files.Roots == nil {
		return nil
	}
	return files.Roots.Contains
}

// warnOfCertificate logs that clients or other daemons reject the certificate of the API. The
// daemon starts nevertheless, to manage its games.
func warnOfCertificate(cfg config.Config, files tlsfiles.Client, logger *slog.Logger) {
	if files.Cert == nil {
		return
	}
	state := files.Cert.State()
	self := node.Ref{Region: cfg.Region, Name: cfg.Node}
	if cfg.AuthEnabled() && cfg.Engine != config.EngineNone && !isCertificateOf(files.Cert.Current().Leaf, self) {
		logger.Warn("the certificate of the API does not prove the name of this node, and other nodes do not forward requests to it; "+
			"issue one with rtmanager cert issue --node", "file", state.File, "node", self.String())
	}
	if now := time.Now(); now.Before(state.NotBefore) || now.After(state.NotAfter) {
		logger.Error("the certificate of the API is not valid at this time, and clients reject it; renew it, or correct the clock",
			"file", state.File, "not_before", state.NotBefore, "not_after", state.NotAfter)
	}
}

// warnOfSharedAuthority logs that certificates of users of the API open the embedded etcd. The
// daemon starts nevertheless: an operator may have no such users.
func warnOfSharedAuthority(cfg config.Config, logger *slog.Logger, listeners ...tlsfiles.Client) {
	if cfg.TLSClientCA == "" {
		return
	}
	callers, err := tlsfiles.OpenPool(cfg.TLSClientCA, nil)
	if err != nil {
		return // the API reports it
	}
	for _, listener := range listeners {
		if listener.Roots != nil && listener.Roots.Shares(callers) {
			logger.Error("an authority of --tls-client-ca is also one of the embedded etcd: the client certificate of every user of the API opens etcd "+
				"with all rights; use an authority for etcd alone, as rtmanager cert does", "file", listener.Roots.State().File)
		}
	}
}
