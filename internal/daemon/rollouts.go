package daemon

import (
	"context"
	"log/slog"
	"sync"

	"galaxy/rtmanager/internal/adapters/etcdrollouts"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/services/auth"
	"galaxy/rtmanager/internal/services/cluster"
	"galaxy/rtmanager/internal/services/rollouts"
	rolloutworker "galaxy/rtmanager/internal/workers/rollout"
)

// rolloutParts are the parts of a daemon that serve rollouts.
type rolloutParts struct {
	store   *etcdrollouts.Store
	service *rollouts.Service
	logger  *slog.Logger
}

// newRollouts returns the rollouts of the store. It sends no request.
func newRollouts(cfg config.Config, etcd *Etcd, store *etcdstore.Store, logger *slog.Logger) rolloutParts {
	p := rolloutParts{logger: logger.With("component", "rollouts")}
	p.store = etcdrollouts.New(etcd.Client, etcdrollouts.Options{
		Prefix: cfg.EtcdPrefix, WatchClient: etcd.WatchClient, ClusterID: store.ClusterID(), Logger: p.logger,
	})
	p.service = rollouts.New(rollouts.Dependencies{Store: p.store, Records: store}, rollouts.Config{Logger: p.logger})
	return p
}

// start starts the worker that carries out rollouts while this daemon leads; a daemon without an
// engine never does. stop ends it.
func (p rolloutParts) start(ctx context.Context, host *engineHost, store *etcdstore.Store, patcher *cluster.Service, access *accessControl) (stop func()) {
	if host.manager == nil {
		return func() {}
	}
	deps := rolloutworker.Dependencies{Store: p.store, Election: host.manager.member, Records: store, Patcher: patcher}
	if access.authenticator() != nil {
		deps.Authorize = authorizeRollout(access.service, store)
	}
	worker := rolloutworker.New(deps, rolloutworker.Config{Logger: p.logger})
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := worker.Run(ctx); err != nil {
			p.logger.Error("rollouts are not carried out by this daemon", "error", err)
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// recordReader reads the record of a game, for its labels.
type recordReader interface {
	GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error)
}

// authorizeRollout returns a function that checks the present rights of the user of a rollout, and
// returns a context in whose name other nodes carry out the patch.
func authorizeRollout(service *auth.Service, records recordReader) func(context.Context, rollout.Actor, string, string) (context.Context, error) {
	return func(ctx context.Context, by rollout.Actor, region, gameID string) (context.Context, error) {
		identity := access.Identity{Subject: by.Subject, Groups: by.Groups, Method: access.Method(by.Method), TokenID: by.TokenID}
		if identity.IsAnonymous() {
			return ctx, &access.UnauthenticatedError{Reason: "the rollout was started without authentication; a resume by an authorized user continues it"}
		}
		service.EnsureKnown(ctx, identity)
		rights, err := service.Rights(identity)
		if err != nil {
			return ctx, err
		}
		if len(rights.LabelLimits(access.PermissionOperate)) > 0 {
			found, err := records.GetVersioned(ctx, gameID)
			if err != nil {
				return ctx, err
			}
			rights = rights.ForLabels(found.Record.Labels)
		}
		if !rights.Allows(access.PermissionOperate, region, gameID) {
			return ctx, &access.ForbiddenError{Subject: identity.Subject, Permission: access.PermissionOperate, What: "game " + gameID + " in region " + region}
		}
		return access.NewContext(ctx, identity), nil
	}
}
