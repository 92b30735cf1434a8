import type { ListPage, Page } from './client.ts';
import { Expired } from './errors.ts';

/** Objects a page: what kubectl and client-go use. */
const pageSize = 500;

/**
 * Reads every page of a list. The server forgets a continue token after some minutes; one request without a limit then
 * gets the whole in one piece, as client-go's pager does. The version is that of the first page, which all share.
 */
export async function readPages(
  read: (page: Page) => Promise<ListPage>,
): Promise<{ readonly items: readonly unknown[]; readonly resourceVersion: string }> {
  const items: unknown[] = [];
  let page: Page = { limit: pageSize };
  for (;;) {
    let got: ListPage;
    try {
      got = await read(page);
    } catch (error) {
      if (!(error instanceof Expired) || page.continue === undefined) throw error;
      return await read({});
    }
    items.push(...got.items);
    if (got.continue === undefined) return { items, resourceVersion: got.resourceVersion };
    page = { limit: pageSize, continue: got.continue };
  }
}
