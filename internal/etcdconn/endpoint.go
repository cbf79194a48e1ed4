package etcdconn

import (
	"errors"
	"fmt"
	"math"
	"net/url"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// maxRequestBytes is the largest request that etcd accepts by default, with overhead. It is
// the limit of the etcd client library as well.
const maxRequestBytes = 2 << 20

// endpoint is one client URL. It has two connections, so that a large response does not
// delay what must be timely.
type endpoint struct {
	url string
	// bulk carries reads and writes, control carries watches, leases and probes.
	bulk, control *grpc.ClientConn
	// checkNow requests a probe without delay; it has space for one request.
	checkNow chan struct{}

	health health // guarded by the mutex of the Pool
}

// newEndpoint creates the connections without opening them.
func newEndpoint(rawURL string, opts Options) (*endpoint, error) {
	u, err := url.Parse(rawURL)
	isSocket := err == nil && u.Scheme == "unix" && u.Host == "" && u.Path != ""
	if err != nil || u.Host == "" && !isSocket {
		return nil, fmt.Errorf("endpoint %q is not a URL", rawURL)
	}
	security := insecure.NewCredentials()
	if u.Scheme == "https" {
		security = credentials.NewTLS(opts.TLS.Config(u.Hostname(), nil))
	}
	options := dialOptions(opts, security)
	e := &endpoint{url: rawURL, checkNow: make(chan struct{}, 1), health: newHealth()}
	// The dialer resolves the name at each attempt to connect.
	target := "passthrough:///" + u.Host
	if isSocket {
		target = rawURL
	}
	if e.bulk, err = grpc.NewClient(target, options...); err != nil {
		return nil, err
	}
	if e.control, err = grpc.NewClient(target, options...); err != nil {
		return nil, errors.Join(err, e.bulk.Close())
	}
	return e, nil
}

func dialOptions(opts Options, security credentials.TransportCredentials) []grpc.DialOption {
	delays := backoff.DefaultConfig
	delays.BaseDelay, delays.MaxDelay = min(opts.MaxConnectDelay, delays.BaseDelay)/4, opts.MaxConnectDelay
	return []grpc.DialOption{
		grpc.WithTransportCredentials(security),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: delays, MinConnectTimeout: opts.ConnectTimeout}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: opts.KeepaliveTime, Timeout: opts.KeepaliveTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(maxRequestBytes)),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		// A proxy for web pages rarely reaches etcd, and a daemon behind one would see nothing
		// but timeouts.
		grpc.WithNoProxy(),
	}
}

// requestCheck makes the endpoint be probed without delay. It does not block.
func (e *endpoint) requestCheck() {
	select {
	case e.checkNow <- struct{}{}:
	default:
	}
}

func (e *endpoint) close() { _ = errors.Join(e.bulk.Close(), e.control.Close()) }
