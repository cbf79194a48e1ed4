package securitycheck

// checkIssuer checks how tokens of an OpenID Connect issuer name their users.
func (c *checker) checkIssuer() {
	if !c.cfg.HasOIDC() {
		return
	}
	if c.cfg.OIDCCA != "" {
		c.checkPool("--oidc-ca", c.cfg.OIDCCA)
	}
	claim := c.cfg.OIDCUsernameClaim
	c.addIf(claim != "sub" && claim != "email", "--oidc-username-claim",
		"at many issuers users can change the claim %q, and so take the name and the roles of another; use sub, or email, which the issuer must have verified", claim)
	c.addIf(claim == "email", "--oidc-username-claim", "an address, and with it its roles, may be given to another user later; use sub")
}
