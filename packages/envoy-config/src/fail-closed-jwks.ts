/**
 * A JWKS that accepts no token, for rules without keys: Envoy refuses a listener with an empty one, and without any JWKS it would
 * look for one elsewhere.
 *
 * Nobody has the private key of its one key, and anybody can see why: `x` is the SHA-256 of the sentence "signet: the private key of
 * this point is known to nobody, 0" and `y` the even one of the two that put the point on the curve P-256. Who wanted a private key
 * would have to find a discrete logarithm.
 */
export const failClosedJwks: string = JSON.stringify({
  keys: [
    {
      kty: "EC",
      crv: "P-256",
      kid: "nobody-holds-the-private-key",
      x: "2aSMSMpFnG0_Xr1fDuyAKxVJSI7nBX-kfZ7JNoH_s0Q",
      y: "j61KNh6R70SGo7zjnfFDnm17I0o1WoplJOW4oB8AlHo",
    },
  ],
});
