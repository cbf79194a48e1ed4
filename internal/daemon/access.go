package daemon

import (
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdaccess"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/adapters/oidc"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/services/auth"
)

// accessControl authenticates the callers of the API, and keeps tokens and roles.
type accessControl struct {
	service *auth.Service
	issuer  *oidc.Verifier // nil without an identity provider
	cfg     config.Config
}

// newAccessControl returns the access control of the settings, on the etcd of the store.
func newAccessControl(client *clientv3.Client, clusterID uint64, cfg config.Config, registry prometheus.Registerer, logger *slog.Logger) (*accessControl, error) {
	logger = logger.With("component", "auth")
	a := &accessControl{cfg: cfg}
	store := etcdaccess.New(client, etcdaccess.Options{Prefix: cfg.EtcdPrefix, ClusterID: clusterID, Logger: logger})
	deps := auth.Dependencies{Store: store}
	if cfg.HasOIDC() {
		issuer, err := oidc.New(oidc.Config{
			Issuer: cfg.OIDCIssuer, Audience: cfg.TokenAudience(), UsernameClaim: cfg.OIDCUsernameClaim, GroupsClaim: cfg.OIDCGroupsClaim,
			CAFile: cfg.OIDCCA, Logger: logger,
		})
		if err != nil {
			return nil, err
		}
		a.issuer, deps.OIDC = issuer, issuer
		registry.MustRegister(newIssuerMetrics(issuer.State))
	}
	a.service = auth.New(deps, auth.Config{Logger: logger})
	return a, nil
}

// authenticator returns the authenticator of the API, nil if callers need no identity.
func (a *accessControl) authenticator() httpserver.Authenticator {
	if !a.cfg.AuthEnabled() {
		return nil
	}
	return a.service
}

// login describes the identity provider to clients, nil without one.
func (a *accessControl) login() *api.OIDC {
	if a.issuer == nil {
		return nil
	}
	return &api.OIDC{Issuer: a.cfg.OIDCIssuer, ClientID: a.cfg.OIDCClientID}
}

// start keeps tokens, roles and the keys of the identity provider current until stop is called.
// It first reads the tokens and roles. If etcd does not respond in time, callers are rejected as
// unavailable until they are read.
func (a *accessControl) start(ctx context.Context) (stop func()) {
	if !a.cfg.AuthEnabled() {
		return func() {}
	}
	first, cancelFirst := context.WithTimeout(ctx, a.cfg.EtcdDialTimeout)
	_ = a.service.Refresh(first) // Run reports a failure
	cancelFirst()
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = a.service.Run(ctx) }) // it returns nil
	if a.issuer != nil {
		running.Go(func() { _ = a.issuer.Run(ctx) }) // it returns nil
	}
	return func() {
		cancel()
		running.Wait()
	}
}
