package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/loopback"
)

// The ports of members of a cluster.
const (
	clusterClientPort = "2379"
	clusterPeerPort   = "2380"
)

// Cluster is the part of Config for a cluster of embedded members.
type Cluster struct {
	// ClusterInit starts a new cluster if DataDir is new, and makes a single member one that
	// others can join. ClusterJoin are client URLs of members of the cluster that a new DataDir
	// joins. Neither has an effect on the directory of a member that has done it.
	ClusterInit bool
	ClusterJoin []string
	// ClusterRoundTrip is the largest round trip between members to expect, from which the first
	// member derives the timing of the cluster. Members that join measure it. Default 100 ms.
	ClusterRoundTrip time.Duration
	// EtcdAdvertiseClient and EtcdAdvertisePeer are the URLs at which other members reach this
	// one. Empty means the listen URLs, with the host of Advertise if they are of all addresses.
	EtcdAdvertiseClient, EtcdAdvertisePeer string
}

func defaultCluster() Cluster { return Cluster{ClusterRoundTrip: 100 * time.Millisecond} }

func (c *Cluster) bindCluster(f *pflag.FlagSet) {
	f.BoolVar(&c.ClusterInit, "cluster-init", c.ClusterInit, "start a cluster of embedded etcd members, which other daemons join; no effect once --data-dir has its data")
	f.StringSliceVar(&c.ClusterJoin, "cluster-join", c.ClusterJoin, "client `URL`s of members of the cluster that this daemon's embedded etcd joins, separated by commas, such as https://10.0.1.1:2379; no effect once it has joined")
	f.DurationVar(&c.ClusterRoundTrip, "cluster-round-trip", c.ClusterRoundTrip, "largest round trip between the members to expect: sets heartbeat and election timeout of a new cluster; a member that joins measures it")
	f.StringVar(&c.EtcdAdvertiseClient, "etcd-advertise-client", c.EtcdAdvertiseClient, "`URL` at which other members reach --etcd-listen-client, if it differs (default with the host of --advertise if that listens on all addresses)")
	f.StringVar(&c.EtcdAdvertisePeer, "etcd-advertise-peer", c.EtcdAdvertisePeer, "`URL` at which other members reach --etcd-listen-peer, if it differs (default with the host of --advertise if that listens on all addresses)")
}

// InCluster reports whether the embedded etcd is a member of a cluster, or may become one: other
// members can reach it.
func (c Config) InCluster() bool {
	if !c.HasEmbeddedEtcd() {
		return false
	}
	if c.ClusterInit || len(c.ClusterJoin) > 0 {
		return true
	}
	return isNetworkURL(c.EtcdListenPeer) && isNetworkURL(c.EtcdListenClient)
}

// isNetworkURL reports whether other machines can reach the URL.
func isNetworkURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Hostname() != "" && !loopback.IsHost(u.Hostname())
}

// clusterURL returns the default listen URL of a member of a cluster: the host of its other
// listener if that is set, the host of Listen if it is an address of this machine, and
// otherwise all addresses.
func (c Config) clusterURL(other, cert, port string) string {
	host, _, err := net.SplitHostPort(c.Listen)
	if u, otherErr := url.Parse(other); otherErr == nil && u.Hostname() != "" {
		host = u.Hostname()
	} else if err != nil || !isBindHost(host) {
		host = "0.0.0.0"
	}
	scheme := "http"
	if cert != "" || c.CertsDir != "" {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// effectiveListen returns the listeners of the embedded member, with the default URLs of a member of
// a cluster.
func (c Config) effectiveListen() EtcdListen {
	listen := c.EtcdListen
	if c.InCluster() {
		listen.EtcdListenClient, listen.EtcdListenPeer = c.EtcdClientURL(), c.EtcdPeerURL()
	}
	return listen
}

// EtcdAdvertiseClientURL returns the URL at which other members reach the client port of this
// one; empty means the listen URL.
func (c Config) EtcdAdvertiseClientURL() string {
	return c.advertiseURL(c.EtcdAdvertiseClient, c.EtcdClientURL())
}

// EtcdAdvertisePeerURL is EtcdAdvertiseClientURL for the peer port.
func (c Config) EtcdAdvertisePeerURL() string {
	return c.advertiseURL(c.EtcdAdvertisePeer, c.EtcdPeerURL())
}

// advertiseURL replaces the host of a URL of all addresses by that of Advertise.
func (c Config) advertiseURL(given, listen string) string {
	if given != "" {
		return given
	}
	u, err := url.Parse(listen)
	api, apiErr := url.Parse(c.Advertise)
	if err != nil || apiErr != nil || api.Hostname() == "" || !isUnspecified(u.Hostname()) {
		return ""
	}
	u.Host = net.JoinHostPort(api.Hostname(), u.Port())
	return u.String()
}

func isUnspecified(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}

// validateCluster validates the settings of a cluster.
func (c Config) validateCluster() error {
	var v violations
	v.addIf(c.ClusterInit && len(c.ClusterJoin) > 0, "--cluster-init and --cluster-join exclude each other: the first member starts the cluster, and the others join it")
	v.addIf(c.ClusterRoundTrip <= 0 || c.ClusterRoundTrip > 5*time.Second, "--cluster-round-trip %s must be positive and at most 5s", c.ClusterRoundTrip)
	for _, text := range c.ClusterJoin {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isAddressOnly(u) || !isPort(u.Port()) {
			v.addIf(true, "--cluster-join: %q is not a client URL such as https://10.0.1.1:2379", RedactURL(text))
			continue
		}
		v.addIf(u.Scheme == "http" && !loopback.IsHost(u.Hostname()) && !c.Insecure,
			"--cluster-join: %s has no TLS; use https, or --insecure", text)
	}
	if !c.InCluster() {
		v.addIf(c.EtcdAdvertiseClient+c.EtcdAdvertisePeer != "", "--etcd-advertise-client and --etcd-advertise-peer need --cluster-init, --cluster-join, or addresses of the network in --etcd-listen-client and --etcd-listen-peer")
		return v.join()
	}
	v.addIf(c.Region == "" || c.Node == "", "a member of a cluster has the name REGION/NODE; set --region and --node")
	for _, advertised := range []struct{ flag, given, url, listen string }{
		{"--etcd-advertise-client", c.EtcdAdvertiseClient, c.EtcdAdvertiseClientURL(), c.EtcdClientURL()},
		{"--etcd-advertise-peer", c.EtcdAdvertisePeer, c.EtcdAdvertisePeerURL(), c.EtcdPeerURL()},
	} {
		v.add(validateAdvertised(advertised.flag, advertised.given, advertised.url, advertised.listen))
	}
	return v.join()
}

// validateAdvertised validates the URL at which other members reach a listener.
func validateAdvertised(flag, given, advertised, listen string) error {
	if given != "" {
		u, err := url.Parse(given)
		if err != nil || !slices.Contains([]string{"http", "https"}, u.Scheme) || !isAddressOnly(u) || !isPort(u.Port()) || isUnspecified(u.Hostname()) {
			return fmt.Errorf("%s %q is not a URL such as https://10.0.1.1:2380", flag, RedactURL(given))
		}
		return nil
	}
	u, err := url.Parse(listen)
	switch {
	case err != nil || advertised != "":
		return nil //nolint:nilerr // the check of the listen URL reports it
	case u.Scheme == "unix":
		return errors.New("a member of a cluster cannot listen on a socket; set --etcd-listen-client and --etcd-listen-peer to addresses of the network")
	case isUnspecified(u.Hostname()):
		return fmt.Errorf("other members cannot reach %s; set --advertise or %s, or the address of this host in --listen", listen, flag)
	}
	return nil
}

// validateClusterExternal rejects the settings of a cluster for an external etcd.
func (c Config) validateClusterExternal() error {
	if !c.ClusterInit && len(c.ClusterJoin) == 0 {
		return nil
	}
	return errors.New("--cluster-init and --cluster-join are for the embedded etcd, and --etcd-endpoints for another one; omit one of them")
}
