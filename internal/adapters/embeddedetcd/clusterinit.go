package embeddedetcd

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"galaxy/rtmanager/internal/loopback"
)

// How long a new cluster waits for members of an earlier one. A member dials a lost one every
// 100 ms, but its dials to a host that is down last up to two seconds.
const (
	formerPeersTimeout   = 2500 * time.Millisecond
	formerPeersLocalTime = 400 * time.Millisecond
)

// requireNoPeers returns an error if members of a cluster dial the peer address: then a member
// of that cluster has lost its data, and a new cluster in its place would not have its records.
func requireNoPeers(ctx context.Context, cfg Config, at addresses) error {
	if at.peer.Scheme == "unix" || hasFreePort(cfg.ListenPeerURL) {
		return nil // no other member has this address
	}
	timeout := formerPeersTimeout
	if loopback.IsHost(at.peer.Hostname()) {
		timeout = formerPeersLocalTime
	}
	peer, err := awaitPeer(ctx, cfg, at.peer, timeout)
	if err != nil || peer == "" {
		return err
	}
	return &ConfigError{Field: FieldInit, Err: fmt.Errorf("%s expect a member at %s, but data directory %s has no data: it would start a second cluster, without the records of the first; "+
		"if the disk is lost, replace the member of that cluster", peer, at.advertisedPeer.String(), cfg.DataDir)}
}

// hasFreePort reports whether the URL leaves the port to the kernel.
func hasFreePort(listen string) bool {
	u, err := url.Parse(listen)
	return err == nil && u.Port() == "0"
}

// awaitPeer listens on the peer address, and describes the first member of a cluster that
// connects. It returns an empty text if none does in time.
func awaitPeer(ctx context.Context, cfg Config, at url.URL, timeout time.Duration) (peer string, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", at.Host)
	if err != nil {
		return "", &ConfigError{Field: FieldListenPeerURL, Err: fmt.Errorf("etcd cannot listen on %s: %w", at.Host, err)}
	}
	if at.Scheme == "https" {
		info := cfg.PeerTLS.info()
		tlsConfig, err := info.ServerConfig()
		if err != nil {
			_ = listener.Close()
			return "", &ConfigError{Field: FieldListenPeerURL, Err: fmt.Errorf("certificates for peers: %w", err)}
		}
		listener = tls.NewListener(listener, tlsConfig)
	}
	peers := make(chan string, 1)
	server := &http.Server{ReadHeaderTimeout: timeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cluster := r.Header.Get("X-Etcd-Cluster-ID"); cluster != "" {
			select {
			case peers <- fmt.Sprintf("members of cluster %s, such as the one at %s,", cluster, r.Header.Get("X-PeerURLs")):
			default:
			}
		}
		http.Error(w, "this member has no data", http.StatusServiceUnavailable)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // until Close
	}()
	defer func() {
		_ = server.Close()
		<-served
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case peer = <-peers:
		return peer, nil
	case <-timer.C:
		return "", nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
