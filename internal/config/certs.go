package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
)

// Certs is the part of Config for a directory of certificates.
type Certs struct {
	// CertsDir is a directory with the files of a daemon, as rtmanager cert issue creates it:
	// tls.crt, tls.key and ca.crt for the API, and etcd.crt, etcd.key and etcd-ca.crt for
	// etcd. It replaces the settings of single files that are not set. Empty means that there
	// is no such directory.
	CertsDir string
}

func (c *Certs) bindCerts(f *pflag.FlagSet) {
	f.StringVar(&c.CertsDir, "certs", c.CertsDir, "`DIR` with the certificates of this daemon, as rtmanager cert issue creates it: tls.crt, tls.key, ca.crt for the API, and etcd.crt, etcd.key, etcd-ca.crt for etcd; settings of single files take precedence")
}

// certFiles are names of files: a certificate, its key and authorities.
type certFiles struct{ cert, key, ca string }

func apiCertFiles() certFiles  { return certFiles{"tls.crt", "tls.key", "ca.crt"} }
func etcdCertFiles() certFiles { return certFiles{"etcd.crt", "etcd.key", "etcd-ca.crt"} }

// WithCerts returns the settings with the files of CertsDir: those of the API, and those of
// etcd if its URLs are https. Settings of files that are set remain. It returns an error if
// the directory lacks a file that is needed.
func (c Config) WithCerts() (Config, error) {
	if c.CertsDir == "" {
		return c, nil
	}
	if info, err := os.Stat(c.CertsDir); err != nil {
		return c, fmt.Errorf("--certs: %w; `rtmanager cert issue` creates the directory of a daemon", err)
	} else if !info.IsDir() {
		return c, fmt.Errorf("--certs %s is not a directory", c.CertsDir)
	}
	err := c.useCerts(apiCertFiles(), &c.TLSCert, &c.TLSKey, &c.TLSClientCA)
	if !c.HasEmbeddedEtcd() {
		return c, errors.Join(err, c.useClientCerts())
	}
	if strings.HasPrefix(c.EtcdClientURL(), "https:") {
		err = errors.Join(err, c.useCerts(etcdCertFiles(), &c.EtcdListenCert, &c.EtcdListenKey, &c.EtcdListenClientCA))
	}
	if strings.HasPrefix(c.EtcdPeerURL(), "https:") {
		err = errors.Join(err, c.useCerts(etcdCertFiles(), &c.EtcdPeerCert, &c.EtcdPeerKey, &c.EtcdPeerCA))
	}
	return c, err
}

// WithEtcdClientCerts returns the settings with the files of CertsDir for connections to etcd, in
// place of those that are not set.
func (c Config) WithEtcdClientCerts() (Config, error) {
	if c.CertsDir == "" {
		return c, nil
	}
	err := c.useCerts(etcdCertFiles(), &c.EtcdCert, &c.EtcdKey, &c.EtcdCACert)
	return c, err
}

// useClientCerts sets the files for an external etcd that the directory has. It may have
// none: the etcd of another owner has certificates of its own.
func (c *Config) useClientCerts() error {
	names := etcdCertFiles()
	if len(c.missingCerts([]string{names.cert, names.key, names.ca})) > 0 || !strings.HasPrefix(c.EtcdEndpoints[0], "https:") {
		return nil
	}
	return c.useCerts(names, &c.EtcdCert, &c.EtcdKey, &c.EtcdCACert)
}

// useCerts sets the files that are not set. A certificate and its key are one setting.
func (c *Config) useCerts(names certFiles, cert, key, ca *string) error {
	var needed []string
	if *cert+*key == "" {
		needed = append(needed, names.cert, names.key)
		*cert, *key = c.certFile(names.cert), c.certFile(names.key)
	}
	if *ca == "" {
		needed = append(needed, names.ca)
		*ca = c.certFile(names.ca)
	}
	if missing := c.missingCerts(needed); len(missing) > 0 {
		return fmt.Errorf("--certs %s has no %s; copy the files that `rtmanager cert issue --node` has created, or set the flags of single files", c.CertsDir, strings.Join(missing, ", "))
	}
	return nil
}

// missingCerts returns the names of files that the directory does not have.
func (c *Config) missingCerts(names []string) (missing []string) {
	for _, name := range names {
		if _, err := os.Stat(c.certFile(name)); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, name)
		}
	}
	return missing
}

func (c *Config) certFile(name string) string { return filepath.Join(c.CertsDir, name) }
