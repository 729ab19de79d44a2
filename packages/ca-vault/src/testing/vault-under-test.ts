/** A Vault or OpenBao that tests may do with as they please: the fake, or a real one. */
export interface VaultUnderTest {
  /** Such as "https://127.0.0.1:8200". */
  readonly address: string;
  /** What vouches for its server certificate; left out for an authority that Node knows. */
  readonly caPem?: string | undefined;
  /** May do everything. */
  readonly rootToken: string;
  /** Left out where the server is someone else's: then it is not sealed, and its own mounts are left alone. */
  seal?(): Promise<void>;
  unseal?(): Promise<void>;
}
