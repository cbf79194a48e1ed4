package etcdstore

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/fsck"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// Revision implements ports.StoreInspector.
func (s *Store) Revision(ctx context.Context) (int64, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	revision, err := s.currentRevision(ctx)
	if err != nil {
		return 0, fmt.Errorf("revision: %w", err)
	}
	return revision, nil
}

// Check implements ports.StoreInspector. It reads every key once, in pages at one revision.
func (s *Store) Check(ctx context.Context, repair bool) (ports.CheckReport, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return ports.CheckReport{}, err
	}
	defer end()
	checker, err := etcd.RetryOnCompaction(ctx, func(ctx context.Context) (*fsck.Checker, error) {
		return fsck.Check(ctx, s.etcd, s.keys, 0, s.opts.Families...)
	})
	if err != nil {
		return ports.CheckReport{}, fmt.Errorf("check: %w", err)
	}
	if repair {
		checker.Repair(ctx)
	}
	return checker.Report(), nil
}

// Info implements ports.StoreInspector. The revision comes from a linearizable read. Everything
// is read concurrently, and a member that does not respond delays it by memberTimeout at most.
func (s *Store) Info(ctx context.Context) (ports.StoreInfo, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return ports.StoreInfo{}, err
	}
	defer end()
	info, err := s.readInfo(ctx)
	if err != nil {
		return ports.StoreInfo{}, fmt.Errorf("info: %w", err)
	}
	return info, nil
}

func (s *Store) readInfo(ctx context.Context) (ports.StoreInfo, error) {
	info := ports.StoreInfo{ID: s.id, SchemaVersion: layout.Version}
	var list *clientv3.MemberListResponse
	var alarms *clientv3.AlarmResponse
	var statuses []*clientv3.StatusResponse
	reads, readCtx := errgroup.WithContext(ctx)
	reads.Go(func() (err error) {
		info.Revision, err = s.currentRevision(readCtx)
		return err
	})
	reads.Go(func() (err error) {
		list, err = etcd.RetryRead(readCtx, s.etcd, func(ctx context.Context) (*clientv3.MemberListResponse, error) {
			return s.etcd.Raw.MemberList(ctx)
		})
		return err
	})
	reads.Go(func() (err error) {
		alarms, err = etcd.RetryRead(readCtx, s.etcd, s.etcd.Raw.AlarmList)
		return err
	})
	reads.Go(func() error {
		statuses = s.statuses(readCtx)
		return nil
	})
	if err := reads.Wait(); err != nil {
		return ports.StoreInfo{}, err
	}
	info.Members = mergeStatuses(list, statuses)
	for _, a := range alarms.Alarms {
		info.Alarms = append(info.Alarms, fmt.Sprintf("%s on member %x", a.GetAlarm(), a.GetMemberID()))
	}
	return info, nil
}
