package faultkv

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Lease is the Lease of a client with a fault before each request that is waited for.
type Lease struct {
	clientv3.Lease
	fault func() error
}

// WrapLease makes the requests of the client's leases fail with the error of fault.
func WrapLease(client *clientv3.Client, fault func() error) {
	client.Lease = Lease{Lease: client.Lease, fault: fault}
}

// Grant implements clientv3.Lease.
func (l Lease) Grant(ctx context.Context, ttl int64) (*clientv3.LeaseGrantResponse, error) {
	if err := l.fault(); err != nil {
		return nil, err
	}
	return l.Lease.Grant(ctx, ttl)
}

// Revoke implements clientv3.Lease.
func (l Lease) Revoke(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseRevokeResponse, error) {
	if err := l.fault(); err != nil {
		return nil, err
	}
	return l.Lease.Revoke(ctx, id)
}

// KeepAliveOnce implements clientv3.Lease.
func (l Lease) KeepAliveOnce(ctx context.Context, id clientv3.LeaseID) (*clientv3.LeaseKeepAliveResponse, error) {
	if err := l.fault(); err != nil {
		return nil, err
	}
	return l.Lease.KeepAliveOnce(ctx, id)
}
