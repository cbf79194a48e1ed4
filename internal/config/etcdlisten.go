package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/loopback"
)

// EtcdListen is the part of Config for the listeners of the embedded etcd.
type EtcdListen struct {
	// EtcdListenClient and EtcdListenPeer are the listen URLs of the embedded member: http and
	// a loopback host, https with certificates, or unix:///PATH of a socket that only this
	// user can open; port 0 selects a free one. Empty selects http://127.0.0.1:2379 and
	// http://127.0.0.1:0, and sockets below DataDir if clients of the API must prove their
	// identity: every program of this machine can use a port.
	EtcdListenClient, EtcdListenPeer string
	// EtcdListenCert and EtcdListenKey are the certificate of an https URL for clients and its
	// key; EtcdListenClientCA has the authorities of the certificates that clients must present.
	EtcdListenCert, EtcdListenKey, EtcdListenClientCA string
	// EtcdPeerCert, EtcdPeerKey and EtcdPeerCA are the same for an https URL for peers.
	EtcdPeerCert, EtcdPeerKey, EtcdPeerCA string
}

// EtcdClientURL returns the listen URL of the embedded member for clients.
func (c Config) EtcdClientURL() string {
	if c.EtcdListenClient == "" && c.InCluster() {
		return c.clusterURL(c.EtcdListenPeer, c.EtcdListenCert, clusterClientPort)
	}
	return c.listenURL(c.EtcdListenClient, "http://127.0.0.1:2379", "etcd.sock")
}

// EtcdPeerURL returns the listen URL of the embedded member for peers.
func (c Config) EtcdPeerURL() string {
	if c.EtcdListenPeer == "" && c.InCluster() {
		return c.clusterURL(c.EtcdListenClient, c.EtcdPeerCert, clusterPeerPort)
	}
	return c.listenURL(c.EtcdListenPeer, "http://127.0.0.1:0", "peer.sock")
}

// listenURL returns the default for an empty URL: a socket if clients of the API must prove
// their identity.
func (c Config) listenURL(given, open, socket string) string {
	switch {
	case given != "":
		return given
	case !c.AuthEnabled():
		return open
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		dir = c.DataDir
	}
	return (&url.URL{Scheme: "unix", Path: filepath.Join(dir, "run", socket)}).String()
}

func (l *EtcdListen) bindEtcdListen(f *pflag.FlagSet) {
	f.StringVar(&l.EtcdListenClient, "etcd-listen-client", l.EtcdListenClient, "listen `URL` of the embedded etcd for clients such as etcdctl: http, https or unix:///PATH; port 0 selects a free one (default http://127.0.0.1:2379; with authentication a socket below --data-dir)")
	f.StringVar(&l.EtcdListenCert, "etcd-listen-cert", l.EtcdListenCert, "`FILE` with the certificate of an https --etcd-listen-client")
	f.StringVar(&l.EtcdListenKey, "etcd-listen-key", l.EtcdListenKey, "`FILE` with the key of --etcd-listen-cert")
	f.StringVar(&l.EtcdListenClientCA, "etcd-listen-client-ca", l.EtcdListenClientCA, "`FILE` with the CA certificates that verify clients of --etcd-listen-client")
	f.StringVar(&l.EtcdListenPeer, "etcd-listen-peer", l.EtcdListenPeer, "listen `URL` of the embedded etcd for peers: http, https or unix:///PATH; port 0 selects a free one (default http://127.0.0.1:0; with authentication a socket below --data-dir)")
	f.StringVar(&l.EtcdPeerCert, "etcd-peer-cert", l.EtcdPeerCert, "`FILE` with the certificate of an https --etcd-listen-peer")
	f.StringVar(&l.EtcdPeerKey, "etcd-peer-key", l.EtcdPeerKey, "`FILE` with the key of --etcd-peer-cert")
	f.StringVar(&l.EtcdPeerCA, "etcd-peer-ca", l.EtcdPeerCA, "`FILE` with the CA certificates that verify peers of --etcd-listen-peer")
}

func (l EtcdListen) validateEtcdListen(isInsecure bool) error {
	var v violations
	for _, listener := range []memberListener{
		{"--etcd-listen-client", l.EtcdListenClient, "--etcd-listen-cert", "--etcd-listen-key", "--etcd-listen-client-ca", l.EtcdListenCert, l.EtcdListenKey, l.EtcdListenClientCA},
		{"--etcd-listen-peer", l.EtcdListenPeer, "--etcd-peer-cert", "--etcd-peer-key", "--etcd-peer-ca", l.EtcdPeerCert, l.EtcdPeerKey, l.EtcdPeerCA},
	} {
		v.add(listener.validate(isInsecure))
	}
	return v.join()
}

// memberListener is a listen URL of the embedded member and its files, with their flags.
type memberListener struct {
	flag, url                 string
	certFlag, keyFlag, caFlag string
	cert, key, ca             string
}

func (l memberListener) validate(isInsecure bool) error {
	if (l.cert == "") != (l.key == "") {
		return fmt.Errorf("%s and %s must be set together", l.certFlag, l.keyFlag)
	}
	if l.url == "" {
		return l.rejectFiles()
	}
	u, err := url.Parse(l.url)
	if err == nil && isSocketURL(u) {
		return l.rejectFiles()
	}
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || !isAddressOnly(u):
		return l.invalid("is not http://HOST:PORT, such as http://127.0.0.1:2379, https://HOST:PORT or unix:///PATH")
	case !isBindHost(u.Hostname()):
		return l.invalid("needs an IP address of this machine or localhost")
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
		return l.invalid("requires a port from 0 to 65535")
	}
	if u.Scheme == "http" {
		if err := l.rejectFiles(); err != nil {
			return err
		}
	} else if l.cert == "" {
		return l.invalid(fmt.Sprintf("requires %s and %s", l.certFlag, l.keyFlag))
	}
	if loopback.IsHost(u.Hostname()) || l.ca != "" || isInsecure {
		return nil
	}
	return l.invalid(fmt.Sprintf("can be reached from other machines, and every program there could change all records; use https with %s, a loopback address, or --insecure", l.caFlag))
}

// rejectFiles returns an error if there are files for a URL without TLS.
func (l memberListener) rejectFiles() error {
	if l.cert+l.ca == "" {
		return nil
	}
	return fmt.Errorf("%s, %s and %s require an https URL in %s", l.certFlag, l.keyFlag, l.caFlag, l.flag)
}

func (l memberListener) invalid(reason string) error {
	return fmt.Errorf("%s %q %s", l.flag, RedactURL(l.url), reason)
}

// isSocketURL reports whether the URL is unix:///PATH.
func isSocketURL(u *url.URL) bool {
	return u.Scheme == "unix" && u.Host == "" && filepath.IsAbs(u.Path) && u.User == nil && u.RawQuery+u.Fragment == ""
}

// isBindHost reports whether etcd can listen on the host.
func isBindHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost"
}
