package daemon

import (
	"context"
	"fmt"
	"log/slog"

	"galaxy/rtmanager/internal/adapters/etcdsecrets"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/keysource"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/services/secrets"
)

// openSecrets creates the service of secrets and loads its keys. An error of the keys names the
// flag; it contains neither keys nor the command.
func openSecrets(ctx context.Context, cfg config.Config, etcd *Etcd, store *etcdstore.Store, logger *slog.Logger) (*secrets.Service, error) {
	logger = logger.With("component", "secrets")
	deps := secrets.Dependencies{
		Store:   etcdsecrets.New(etcd.Client, etcdsecrets.Options{Prefix: cfg.EtcdPrefix, ClusterID: store.ClusterID(), Logger: logger}),
		Records: store, Intents: store,
	}
	flag := "--secrets-key-file"
	switch {
	case cfg.SecretsKeyFile != "":
		deps.Keys = keysource.File{Path: cfg.SecretsKeyFile}
	case cfg.SecretsKeyCommand != "":
		flag = "--secrets-key-command"
		deps.Keys = keysource.Command{Line: cfg.SecretsKeyCommand}
	}
	service, err := secrets.New(deps, secrets.Config{StoreID: store.DurableID(), Logger: logger})
	if err != nil {
		return nil, err
	}
	if err := service.LoadKeys(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return service, nil
}
