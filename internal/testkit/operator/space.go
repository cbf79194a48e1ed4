package operator

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/regions"
)

// Compact compacts etcd at the revision; 0 means the current one. It returns the revision. A
// revision that has been compacted before is no error.
func Compact(ctx context.Context, cluster *regions.Cluster, region string, revision int64) (int64, error) {
	err := withMember(cluster, region, func(client *clientv3.Client) error {
		if revision == 0 {
			resp, err := client.Get(ctx, "key")
			if err != nil {
				return err
			}
			revision = resp.Header.Revision
		}
		_, err := client.Compact(ctx, revision, clientv3.WithCompactPhysical())
		if errors.Is(err, rpctypes.ErrCompacted) {
			return nil
		}
		return err
	})
	return revision, wrap("compact at revision", revision, err)
}

// Defragment defragments the member of the region, which serves nothing in the meantime.
func Defragment(ctx context.Context, cluster *regions.Cluster, region string) error {
	err := withMember(cluster, region, func(client *clientv3.Client) error {
		_, err := client.Defragment(ctx, client.Endpoints()[0])
		return err
	})
	return wrap("defragment the member of", region, err)
}

// HasAlarm reports whether a member has raised an alarm, such as that of an exceeded quota.
func HasAlarm(ctx context.Context, cluster *regions.Cluster, region string) (bool, error) {
	hasAlarm := false
	err := withMember(cluster, region, func(client *clientv3.Client) error {
		resp, err := client.AlarmList(ctx)
		if err == nil {
			hasAlarm = len(resp.Alarms) > 0
		}
		return err
	})
	return hasAlarm, wrap("list alarms at", region, err)
}

// RepairSpace makes a cluster writable that has exceeded its quota, as the manual of etcd
// describes: it compacts, defragments each member and disarms the alarms. The operator deletes
// data first if the current data exceed the quota.
func RepairSpace(ctx context.Context, cluster *regions.Cluster) error {
	leader := cluster.Leader()
	if leader == "" {
		return errors.New("etcd has no leader")
	}
	if _, err := Compact(ctx, cluster, leader, 0); err != nil {
		return err
	}
	for _, region := range regions.Names() {
		if err := Defragment(ctx, cluster, region); err != nil {
			return err
		}
	}
	return withMember(cluster, leader, func(client *clientv3.Client) error {
		_, err := client.AlarmDisarm(ctx, &clientv3.AlarmMember{}) // all alarms
		return wrap("disarm the alarms at", leader, err)
	})
}

// withMember calls the function with a client of the member of the region.
func withMember(cluster *regions.Cluster, region string, call func(*clientv3.Client) error) error {
	client, err := cluster.OpenClient(region)
	if err != nil {
		return err
	}
	return errors.Join(call(client), client.Close())
}

func wrap(what string, which any, err error) error {
	if err != nil {
		return fmt.Errorf("%s %v: %w", what, which, err)
	}
	return nil
}
