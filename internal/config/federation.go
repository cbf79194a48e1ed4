package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"

	"galaxy/rtmanager/internal/domain/federation"
)

// FederatedStores returns the other stores of Federate.
func (c Config) FederatedStores() ([]federation.Setting, error) {
	stores, err := federation.ParseSettings(c.Federate)
	if err != nil {
		return nil, fmt.Errorf("--federate %w", err)
	}
	return stores, nil
}

func (c Config) validateFederation() error {
	stores, err := c.FederatedStores()
	if err != nil {
		return err
	}
	var errs []error
	storeOfURL := map[string]string{}
	for i, store := range stores {
		hasName := func(other federation.Setting) bool { return other.Name == store.Name }
		switch {
		case store.Name == c.Region:
			errs = append(errs, fmt.Errorf("--federate %s: %q is the region of this daemon, which is the name of its own store; give the other store another name", store.Name, store.Name))
		case slices.IndexFunc(stores, hasName) < i:
			errs = append(errs, fmt.Errorf("--federate %s: %q names two stores; separate several URLs of one store by commas", store.Name, store.Name))
		}
		for _, address := range store.URLs {
			if err := c.validateStoreURL(address); err != nil {
				errs = append(errs, fmt.Errorf("--federate %s: %w", store.Name, err))
			}
			if other, exists := storeOfURL[address]; exists {
				errs = append(errs, fmt.Errorf("--federate %s: %s is a URL of store %s already", store.Name, RedactURL(address), other))
			}
			storeOfURL[address] = store.Name
		}
	}
	return errors.Join(errs...)
}

// validateStoreURL checks the URL of a daemon of another store.
func (c Config) validateStoreURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not a URL such as https://us-1:8080", RedactURL(address))
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && addr.IsUnspecified() {
		return fmt.Errorf("%q is not the address of one daemon", address)
	}
	if c.HasTLS() && c.AuthEnabled() && u.Scheme == "http" {
		return fmt.Errorf("%q is http, but this daemon authenticates its callers and forwards them to verified daemons only; use https", address)
	}
	return nil
}
