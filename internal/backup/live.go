package backup

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
)

// liveTimeout bounds the wait for a member of the cluster of a backup.
const liveTimeout = 3 * time.Second

// LiveError reports members of the cluster of a backup that still respond. Their daemons would
// continue to use the store of before next to the restored one.
type LiveError struct {
	// Members describes each, by name and address.
	Members []string
}

func (e *LiveError) Error() string {
	verb := "responds"
	if len(e.Members) > 1 {
		verb = "respond"
	}
	return fmt.Sprintf("the store of the backup is in use: %s still %s; stop the daemons and members of this store first", strings.Join(e.Members, ", "), verb)
}

// requireNoneLive returns a *LiveError if a member responds at an address that it had when the
// backup was made.
func requireNoneLive(ctx context.Context, members []embeddedetcd.SnapshotMember, tlsOf func(host string) *tls.Config) error {
	var mu sync.Mutex
	var live []string
	var checks sync.WaitGroup
	for _, m := range members {
		for _, endpoint := range m.ClientURLs {
			checks.Go(func() {
				if !isLive(ctx, m.ID, endpoint, tlsOf) {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				live = append(live, fmt.Sprintf("member %s at %s", m.Name, endpoint))
			})
		}
	}
	checks.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if len(live) > 0 {
		slices.Sort(live)
		return &LiveError{live}
	}
	return nil
}

// isLive reports whether the member responds at the address. A program there that this
// process cannot identify, because it requires a certificate or a user, counts as the member.
func isLive(ctx context.Context, id uint64, endpoint string, tlsOf func(host string) *tls.Config) bool {
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	at, err := url.Parse(endpoint)
	if err != nil || !canConnect(ctx, at) {
		return false
	}
	var config *tls.Config
	if at.Scheme == "https" && tlsOf != nil {
		config = tlsOf(at.Hostname())
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint}, TLS: config, DialTimeout: liveTimeout, Logger: zap.NewNop(), Context: ctx,
	})
	if err != nil {
		return true
	}
	defer func() { _ = client.Close() }()
	resp, err := client.Status(ctx, endpoint)
	if err == nil {
		return resp.Header.GetMemberId() == id
	}
	// A program that does not speak this protocol on an address without TLS is no etcd.
	return at.Scheme == "https" || status.Code(err) == codes.PermissionDenied || status.Code(err) == codes.Unauthenticated ||
		errors.Is(err, context.DeadlineExceeded)
}

// canConnect reports whether something listens at the address.
func canConnect(ctx context.Context, at *url.URL) bool {
	network, address := "tcp", at.Host
	if strings.HasPrefix(at.Scheme, "unix") {
		network, address = "unix", at.Host+at.Path
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
