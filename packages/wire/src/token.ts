/** A word of HTTP (RFC 9110 section 5.6.2): names of headers, methods and protocols are such words. */
export const TOKEN: RegExp = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/
